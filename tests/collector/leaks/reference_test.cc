// The scan against the definition: random heaps, small enough for a reference that
// computes who reaches whom in the plainest way.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "tests/collector/leaks/made_heap.h"

namespace mallogram::leaks {
namespace {

struct Node {
  uint64_t address, size;
  uint32_t slot = 0;
  bool ignored = false, inherited = false;
};
struct Edge {
  size_t to;
  bool start;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<std::vector<Edge>> edges;
  std::vector<Edge> roots;
};

// Marks what `from` reaches over edges that `take` takes and nodes that are free.
template <typename Take>
void Flood(const Graph& graph, std::vector<size_t> from, int mark, const Take& take,
           std::vector<int>* marks) {
  while (!from.empty()) {
    const size_t node = from.back();
    from.pop_back();
    for (const Edge& edge : graph.edges[node]) {
      if ((*marks)[edge.to] != 0 || !take(edge)) continue;
      (*marks)[edge.to] = mark;
      from.push_back(edge.to);
    }
  }
}

struct Verdict {
  std::vector<LeakClass> classes;
  std::vector<std::vector<bool>> reaches;  // among the lost
  std::vector<size_t> memcheck;            // who Memcheck charges; kNone: ambiguous
  bool like_memcheck = true;
};

Verdict Judge(const Graph& graph) {
  const size_t n = graph.nodes.size();
  const auto start = [](const Edge& edge) { return edge.start; };
  const auto any = [](const Edge&) { return true; };
  std::vector<int> marks(n);  // 1 reachable, 2 ignored, 3 possible
  std::vector<size_t> from;
  for (const Edge& edge : graph.roots) {
    if (edge.start && marks[edge.to] == 0) {
      marks[edge.to] = 1;
      from.push_back(edge.to);
    }
  }
  Flood(graph, from, 1, start, &marks);
  const std::vector<int> reachable = marks;
  from.clear();
  for (size_t i = 0; i < n; ++i) {
    if (!graph.nodes[i].ignored) continue;
    marks[i] = 2;
    from.push_back(i);
  }
  Flood(graph, from, 2, any, &marks);
  from.clear();
  for (const Edge& edge : graph.roots) {
    if (marks[edge.to] != 0) continue;
    marks[edge.to] = 3;
    from.push_back(edge.to);
  }
  for (size_t i = 0; i < n; ++i) {
    if (reachable[i] == 1) from.push_back(i);
  }
  Flood(graph, from, 3, any, &marks);

  Verdict verdict;
  verdict.reaches.assign(n, std::vector<bool>(n));
  for (size_t i = 0; i < n; ++i) {
    if (marks[i] != 0) continue;
    std::vector<int> seen = marks;
    Flood(graph, {i}, 4, any, &seen);
    for (size_t j = 0; j < n; ++j) verdict.reaches[i][j] = seen[j] == 4;
  }
  verdict.classes.resize(n);
  for (size_t i = 0; i < n; ++i) {
    constexpr LeakClass kClasses[] = {LeakClass::kDefinite, LeakClass::kReachable,
                                      LeakClass::kIgnored, LeakClass::kPossible};
    verdict.classes[i] = kClasses[marks[i]];
    if (marks[i] != 0) continue;
    for (size_t j = 0; j < n; ++j) {
      if (j == i || !verdict.reaches[j][i]) continue;
      const bool cycle = verdict.reaches[i][j];
      if (!cycle || graph.nodes[j].address < graph.nodes[i].address) {
        verdict.classes[i] = LeakClass::kIndirect;
      }
    }
  }
  // Memcheck, literally: lc_push_with_clique_if_a_chunk_ptr.
  std::vector<size_t> order(n), clique(n, n);
  for (size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return graph.nodes[a].address < graph.nodes[b].address;
  });
  std::vector<bool> indirect(n);
  for (const size_t leader : order) {
    if (marks[leader] != 0 || indirect[leader]) continue;
    clique[leader] = leader;
    from = {leader};
    while (!from.empty()) {
      const size_t node = from.back();
      from.pop_back();
      for (const Edge& edge : graph.edges[node]) {
        if (marks[edge.to] != 0 || indirect[edge.to] || edge.to == leader) continue;
        indirect[edge.to] = true;
        for (size_t i = 0; i < n; ++i) {
          if (clique[i] == edge.to) clique[i] = leader;
        }
        clique[edge.to] = leader;
        from.push_back(edge.to);
      }
    }
  }
  verdict.memcheck = clique;
  for (size_t i = 0; i < n; ++i) {
    if (marks[i] == 0 &&
        indirect[i] != (verdict.classes[i] == LeakClass::kIndirect)) {
      verdict.like_memcheck = false;
    }
  }
  return verdict;
}

// Pointers of all kinds to blocks of all sizes, some of which cross pages.
class Case {
 public:
  explicit Case(uint64_t seed) : random_(seed) {}

  void Make(int max_nodes, double density) {
    const size_t n = 1 + random_() % static_cast<size_t>(max_nodes);
    heap_.memory.Add(kHeap, kHeapBytes);
    uint64_t at = kHeap + 16 * (random_() % 64);
    for (size_t i = 0; i < n; ++i) {
      constexpr uint64_t kSizes[] = {0, 8, 24, 64, 100, 1000, 4096, 5000, 70000};
      const uint64_t size = kSizes[random_() % (random_() % 4 == 0 ? 9 : 5)];
      Node node{at, size};
      node.inherited = random_() % 12 == 0;
      graph_.nodes.push_back(node);
      at += (size + 16 + 15) / 16 * 16 + 16 * (random_() % 3);
      if (random_() % 5 == 0) at += 4096 * (random_() % 3);
    }
    // Slots are in another order than addresses.
    std::vector<size_t> order(n);
    for (size_t i = 0; i < n; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    for (const size_t i : order) {
      Node& node = graph_.nodes[i];
      if (node.inherited) {
        heap_.input.inherited.push_back({node.address, node.size});
        continue;
      }
      node.slot = heap_.Add(node.address, node.size,
                            static_cast<uint32_t>(4 + random_() % 3));
      node.ignored = random_() % 20 == 0;
      if (node.ignored) heap_.input.ignored.push_back(node.slot);
    }
    graph_.edges.resize(n);
    for (size_t i = 0; i < n; ++i) {
      const uint64_t words = graph_.nodes[i].size / 8;
      for (uint64_t w = 0; w < words && w < 200; ++w) {
        if (static_cast<double>(random_() % 1000) >= 1000 * density) continue;
        const uint64_t place = words > 200 ? random_() % words : w;
        if (!taken_.insert({graph_.nodes[i].address, place}).second) continue;
        Point(graph_.nodes[i].address + 8 * place, &graph_.edges[i]);
      }
    }
    const size_t roots = random_() % 4;
    for (size_t r = 0; r < roots; ++r) {
      Point(MadeHeap::kRoots + 8 * r, &graph_.roots);
    }
  }

  void Check(size_t queue) {
    heap_.input.queue = queue;
    // With links looked for at once, or never.
    heap_.input.lone_reads = random_() % 2 == 0 ? 0 : UINT64_MAX;
    const Verdict verdict = Judge(graph_);
    LeakScan scan(&heap_.input);
    scan.Run();
    LeakCheck check;
    scan.Fill(&check);
    uint64_t own = 0, charged = 0;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (node.inherited) continue;
      ASSERT_EQ(scan.ClassOf(node.slot), verdict.classes[i]) << "node " << i;
      if (verdict.classes[i] != LeakClass::kIndirect) continue;
      const uint32_t head = scan.HeadOf(node.slot);
      size_t of = graph_.nodes.size();
      for (size_t j = 0; j < graph_.nodes.size(); ++j) {
        const Node& other = graph_.nodes[j];
        if (!other.inherited && head != kNoNode && other.slot == head) of = j;
      }
      if (head != kNoNode) {
        ASSERT_LT(of, graph_.nodes.size());
        ASSERT_EQ(verdict.classes[of], LeakClass::kDefinite);
        ASSERT_TRUE(verdict.reaches[of][i]);
        charged += node.size;
      }
      if (!verdict.like_memcheck) continue;
      const size_t memcheck = verdict.memcheck[i];
      ASSERT_EQ(head == kNoNode, graph_.nodes[memcheck].inherited);
      ASSERT_TRUE(head == kNoNode || of == memcheck) << "node " << i;
    }
    for (const LeakGroup& group : check.groups) {
      own += group.indirect_bytes;
      CheckWay(group);
    }
    ASSERT_EQ(own, charged);
    ASSERT_EQ(check.blocks, heap_.model.live_blocks());
    ASSERT_EQ(check.bytes, heap_.model.live_bytes());
    if (verdict.like_memcheck) ++like_memcheck;
    overflows += scan.marker().overflows();
  }
  static inline int like_memcheck = 0;
  static inline uint64_t overflows = 0;

 private:
  static constexpr uint64_t kHeap = 0x7f0000000000, kHeapBytes = 0x800000;

  // The first hop's and the root's pointers are where the way says.
  void CheckWay(const LeakGroup& group) {
    if (group.kind != LeakClass::kReachable && group.kind != LeakClass::kPossible) {
      ASSERT_EQ(group.root.kind, RootKind::kNone);
      return;
    }
    ASSERT_NE(group.root.kind, RootKind::kNone);
    uint64_t at = group.root.address;
    if (group.root.kind == RootKind::kGlobal) {
      ASSERT_EQ(group.root.module, 7u);
      at += 0x8000;
    } else {
      ASSERT_EQ(group.root.kind, RootKind::kInherited);
    }
    bool interior = false;
    for (size_t i = 0; i <= group.way.size(); ++i) {
      uint64_t word = 0;
      ASSERT_EQ(heap_.memory.Read(at, &word, 8), 8u);
      const Node* to = nullptr;
      for (const Node& node : graph_.nodes) {
        if (word - node.address < std::max<uint64_t>(node.size, 1)) to = &node;
      }
      ASSERT_NE(to, nullptr);
      interior = interior || word != to->address;
      if (i == group.way.size()) {
        ASSERT_EQ(heap_.model.StackAt(to->slot), group.stack);
        if (group.idiom == PointerIdiom::kInterior) {
          ASSERT_EQ(word - to->address, group.interior_offset);
        }
        break;
      }
      ASSERT_EQ(heap_.model.StackAt(to->slot), group.way[i].stack);
      ASSERT_EQ(to->size, group.way[i].size);
      if (group.way[i].repeats != 1) return;
      at = to->address + group.way[i].offset;
    }
    if (group.root.kind == RootKind::kGlobal && group.way_cut == 0) {
      ASSERT_EQ(interior, group.kind == LeakClass::kPossible);
    }
  }

  void Point(uint64_t place, std::vector<Edge>* edges) {
    const size_t to = random_() % graph_.nodes.size();
    const Node& node = graph_.nodes[to];
    const int kind = static_cast<int>(random_() % 10);
    if (kind < 6 || node.size == 0) {
      heap_.memory.Put(place, node.address);
      edges->push_back({to, true});
    } else if (kind < 9) {
      // Odd, so that no idiom explains it.
      const uint64_t offset = 1 + 2 * (random_() % ((node.size + 1) / 2));
      if (offset >= node.size) return;
      heap_.memory.Put(place, node.address + offset);
      edges->push_back({to, false});
    } else {
      heap_.memory.Put(place, node.address + node.size);  // the end is outside
    }
  }

  std::mt19937_64 random_;
  MadeHeap heap_;
  Graph graph_;
  std::set<std::pair<uint64_t, uint64_t>> taken_;
};

TEST(Reference, RandomHeapsHaveTheClassesAndChargesOfTheDefinition) {
  for (uint64_t seed = 0; seed < 10'000; ++seed) {
    Case c(seed);
    constexpr double kDensities[] = {0.02, 0.08, 0.2, 0.5};
    c.Make(seed % 3 == 0 ? 40 : 9, kDensities[seed % 4]);
    c.Check(seed % 2 == 0 ? 1 << 16 : 16);
    if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed;
  }
  // Both kinds were met.
  EXPECT_GT(Case::like_memcheck, 7'000);
  EXPECT_LT(Case::like_memcheck, 10'000);
  EXPECT_GT(Case::overflows, 0u);
}

}  // namespace
}  // namespace mallogram::leaks
