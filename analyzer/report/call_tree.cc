// The top-down call tree: the same stacks merged from the outside in. Frames merge
// by function, not by line, as in other profilers; the line is shown where there is
// one.
//
// Every call node of the report becomes tree nodes once (whole_); only the
// innermost nodes of a site, where plumbing is folded away, are walked for each
// site.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "analyzer/report/analyses.h"

namespace mallogram {
namespace {

struct Node {
  uint32_t parent = 0;
  uint32_t frame = 0;
  bool any_line = false, recursive = false;
  uint64_t value = 0, self = 0, calls = 0;
  std::vector<uint32_t> children;
};

// Node 0 is the whole program; a parent precedes its children.
class TreeBuilder {
 public:
  TreeBuilder(const Report& report, const StackBook& book)
      : report_(report), book_(book), nodes_(1) {}

  std::vector<Node> Build(Measure by) {
    for (const Site& site : report_.sites) {
      const uint64_t value = ValueOf(site.totals, by);
      if (value == 0) continue;
      const StackCursor cursor(book_, site.node);
      Node& leaf = nodes_[Leaf(cursor)];
      leaf.self += value;
      leaf.value += value;
      leaf.calls += site.totals.calls;
    }
    for (uint32_t i = static_cast<uint32_t>(nodes_.size()) - 1; i > 0; --i) {
      Node& parent = nodes_[nodes_[i].parent];
      parent.value += nodes_[i].value;
      parent.calls += nodes_[i].calls;
      parent.children.push_back(i);
    }
    return std::move(nodes_);
  }

 private:
  uint32_t Child(uint32_t parent, uint32_t frame) {
    if (parent != 0 &&
        book_.function(nodes_[parent].frame) == book_.function(frame)) {
      nodes_[parent].recursive = true;
      return parent;
    }
    const auto [entry, is_new] =
        children_.try_emplace(std::pair(parent, book_.function(frame)),
                              static_cast<uint32_t>(nodes_.size()));
    if (is_new) {
      nodes_.push_back({parent, frame, false, false, 0, 0, 0, {}});
    } else if (nodes_[entry->second].frame != frame) {
      nodes_[entry->second].any_line = true;
    }
    return entry->second;
  }

  // The tree node of all frames from the outermost to those of `location`, but
  // for the innermost `skip` of that.
  uint32_t Descend(uint32_t parent, uint32_t location, uint32_t skip) {
    const std::vector<PlacedFrame>& shown = book_.location(location).visible();
    for (size_t i = shown.size(); i > skip; --i) {
      parent = Child(parent, shown[i - 1].frame);
    }
    return parent;
  }

  uint32_t Whole(uint32_t call_node) {
    std::vector<uint32_t> pending;
    uint32_t at = 0;
    for (uint32_t node = call_node;; node = book_.node(node).parent) {
      if (node < kFirstStackId) {
        at = node == 0 ? 0 : Child(0, StackBook::RootFrame(node));
        break;
      }
      if (const auto known = whole_.find(node); known != whole_.end()) {
        at = known->second;
        break;
      }
      pending.push_back(node);
    }
    for (auto node = pending.rbegin(); node != pending.rend(); ++node) {
      at = Descend(at, book_.node(*node).location, 0);
      whole_[*node] = at;
    }
    return at;
  }

  uint32_t Leaf(const StackCursor& cursor) {
    if (cursor.AtRoot()) return Whole(cursor.node());
    const CallNode& node = book_.node(cursor.node());
    return Descend(Whole(node.parent), node.location, cursor.position());
  }

  const Report& report_;
  const StackBook& book_;
  std::vector<Node> nodes_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> children_;
  absl::flat_hash_map<uint32_t, uint32_t> whole_;  // by call node
};

}  // namespace

std::vector<TreeRow> BuildCallTree(const Report& report, const StackBook& book,
                                   Measure by, double minimum, size_t depth) {
  std::vector<Node> nodes = TreeBuilder(report, book).Build(by);
  const double total = static_cast<double>(nodes[0].value);
  std::vector<TreeRow> rows;
  if (nodes[0].value == 0) return rows;

  struct Visit {
    uint32_t node;
    int level;
    size_t depth;
    bool chain, last;
    uint64_t cut, cut_value;  // a "so many more" row
    bool deeper;
  };
  std::vector<Visit> stack = {{0, 0, 0, false, true, 0, 0, false}};
  while (!stack.empty()) {
    const Visit visit = stack.back();
    stack.pop_back();
    Node& node = nodes[visit.node];
    TreeRow row;
    row.level = visit.level;
    row.last = visit.last;
    row.cut = visit.cut;
    if (visit.cut != 0) {
      row.deeper = visit.deeper;
      row.value = visit.cut_value;
      row.share = static_cast<double>(row.value) / total;
      rows.push_back(row);
      continue;
    }
    row.frame = node.frame;
    row.any_line = node.any_line;
    row.recursive = node.recursive;
    row.chain = visit.chain;
    row.value = node.value;
    row.self = node.self;
    row.calls = node.calls;
    row.share = static_cast<double>(node.value) / total;
    rows.push_back(row);

    std::vector<uint32_t>& children = node.children;
    std::stable_sort(children.begin(), children.end(), [&](uint32_t a, uint32_t b) {
      return nodes[a].value != nodes[b].value ? nodes[a].value > nodes[b].value
                                              : a < b;
    });
    size_t kept = 0;
    while (kept < children.size() &&
           static_cast<double>(nodes[children[kept]].value) >= minimum * total) {
      ++kept;
    }
    const bool deeper = depth != 0 && visit.depth >= depth && kept != 0;
    if (deeper) kept = 0;
    // A single child with all of the value goes on at the same level.
    const bool chain =
        visit.node != 0 && kept == 1 && nodes[children[0]].value == node.value;
    const size_t cut = children.size() - kept;
    uint64_t cut_value = 0;
    for (size_t i = kept; i < children.size(); ++i) {
      cut_value += nodes[children[i]].value;
    }
    if (cut != 0) {
      stack.push_back({0, visit.level + 1, 0, false, true, cut, cut_value, deeper});
    }
    for (size_t i = kept; i > 0; --i) {
      stack.push_back({children[i - 1], chain ? visit.level : visit.level + 1,
                       visit.depth + 1, chain,
                       chain ? visit.last : i == kept && cut == 0, 0, 0, false});
    }
  }
  return rows;
}

}  // namespace mallogram
