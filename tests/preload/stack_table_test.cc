// preload/stack_table.h: interning, growth over the levels, a full node array,
// and many threads at once (also run under ThreadSanitizer).

#include "preload/stack_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "preload/image.h"

namespace mallogram {

// The image's, which is not linked here: all chunks are there.
bool MakeNode(ImageTables*, uint32_t) { return true; }

namespace {

class StackTableTest : public ::testing::Test {
 protected:
  void SetUpTable(uint32_t max_nodes) {
    // One node beyond the end shows an overrun.
    nodes_.assign(max_nodes + 1, StackNode{});
    nodes_[max_nodes].pc = kCanary;
    header_.max_nodes = max_nodes;
    header_.node_count.store(kFirstNode);
    tables_.header = &header_;
    tables_.nodes.SetWhole(nodes_.data());
    ASSERT_TRUE(table_.Init(&tables_));
  }

  void TearDown() override {
    if (nodes_.empty()) return;
    EXPECT_EQ(nodes_.back().pc, kCanary) << "overrun";
  }

  // The caller's business is a hash that depends on the stack alone.
  uint32_t Intern(uint32_t parent, uint64_t pc, uint32_t module) {
    return table_.Intern(parent, pc, module, StackTable::Hash(parent, pc, module));
  }

  // Some (parent, pc, module) that depends on i alone; parents are roots or the
  // first nodes, so that keys share all parts but one here and there.
  uint32_t InternNumber(uint32_t i) {
    return Intern(i % kFirstNode, 0x400000 + i / 8 * 16, (i / 4) % 2);
  }
  void ExpectNodeOfNumber(uint32_t id, uint32_t i) {
    ASSERT_GE(id, kFirstNode);
    ASSERT_EQ(nodes_[id].parent, i % kFirstNode);
    ASSERT_EQ(nodes_[id].pc, 0x400000 + i / 8 * 16);
    ASSERT_EQ(nodes_[id].module, (i / 4) % 2);
  }

  static constexpr uint64_t kCanary = 0x5ca1ab1e;
  ImageHeader header_{};
  ImageTables tables_;
  std::vector<StackNode> nodes_;
  StackTable table_{};
};

TEST_F(StackTableTest, EqualStacksHaveOneId) {
  SetUpTable(100);
  const uint32_t id = Intern(kRootComplete, 0x1000, 3);
  EXPECT_GE(id, kFirstNode);
  EXPECT_EQ(Intern(kRootComplete, 0x1000, 3), id);
  EXPECT_EQ(table_.node(id).pc, 0x1000u);
  EXPECT_EQ(table_.node(id).parent, kRootComplete);
  EXPECT_EQ(table_.node(id).module, 3u);
}

TEST_F(StackTableTest, EveryPartOfTheKeyCounts) {
  SetUpTable(100);
  const std::set<uint32_t> ids = {
      Intern(kRootComplete, 0x1000, 3), Intern(kRootCut, 0x1000, 3),
      Intern(kRootComplete, 0x1001, 3), Intern(kRootComplete, 0x1000, 4),
      Intern(kRootComplete, 0x1000, kNoModule)};
  EXPECT_EQ(ids.size(), 5u);
}

TEST_F(StackTableTest, KeysOfOneHashAreToldApart) {
  constexpr uint32_t kKeys = 4000;
  SetUpTable(kKeys + kFirstNode);
  std::set<uint32_t> ids;
  for (uint32_t i = 0; i < kKeys; ++i)
    ids.insert(table_.Intern(kRootCut, 0x1000, i, /*hash=*/77));
  EXPECT_EQ(ids.size(), kKeys);
}

TEST_F(StackTableTest, PathToTheRootIsTheStack) {
  constexpr uint32_t kDepth = 100'000;
  SetUpTable(kDepth + kFirstNode);
  uint32_t id = kRootStopped;
  for (uint32_t i = 0; i < kDepth; ++i) id = Intern(id, 0x5000 + i % 7, 1);
  for (uint32_t i = kDepth; i-- > 0;) {
    ASSERT_GE(id, kFirstNode);
    ASSERT_EQ(table_.node(id).pc, 0x5000 + i % 7);
    id = table_.node(id).parent;
  }
  EXPECT_EQ(id, kRootStopped);
}

TEST_F(StackTableTest, GrowsOverTheLevelsAndForgetsNothing) {
  constexpr uint32_t kNodes = 300'000;  // three levels
  SetUpTable(kNodes + kFirstNode);
  std::vector<uint32_t> ids(kNodes);
  for (uint32_t i = 0; i < kNodes; ++i) ids[i] = InternNumber(i);
  for (uint32_t i = 0; i < kNodes; ++i) {
    ASSERT_EQ(InternNumber(i), ids[i]) << "number " << i << " was forgotten";
    ExpectNodeOfNumber(ids[i], i);
  }
  EXPECT_EQ(header_.node_count.load(), kNodes + kFirstNode) << "a node made twice";
}

TEST_F(StackTableTest, FullNodeArrayGivesUnknownAndStillFindsTheOld) {
  constexpr uint32_t kNodes = 50;
  SetUpTable(kNodes + kFirstNode);
  std::vector<uint32_t> ids;
  for (uint32_t i = 0; i < kNodes; ++i) ids.push_back(InternNumber(i));
  for (uint32_t i = kNodes; i < 10 * kNodes; ++i) {
    ASSERT_EQ(InternNumber(i), kRootUnknown);
  }
  for (uint32_t i = 0; i < kNodes; ++i) EXPECT_EQ(InternNumber(i), ids[i]);
  EXPECT_LE(header_.node_count.load(), header_.max_nodes);
}

// Threads intern the same numbers, each from a place of its own, so that they
// meet while the table grows.
TEST_F(StackTableTest, ThreadsAgreeOnTheSameStacks) {
  constexpr uint32_t kThreads = 4, kNodes = 40'000;
  // Nodes of lost races are holes: room for every thread to lose every race.
  SetUpTable(kThreads * kNodes + kFirstNode);
  std::vector<std::vector<uint32_t>> ids(kThreads, std::vector<uint32_t>(kNodes));
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &ids] {
      for (uint32_t i = 0; i < kNodes; ++i) {
        const uint32_t number = t % 2 == 0 ? i : (i + kNodes / 2) % kNodes;
        ids[t][number] = InternNumber(number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint32_t different = 0;
  for (uint32_t i = 0; i < kNodes; ++i) {
    for (uint32_t t = 0; t < kThreads; ++t) {
      ExpectNodeOfNumber(ids[t][i], i);
      different += ids[t][i] != ids[0][i];
    }
  }
  EXPECT_EQ(different, 0u);
}

TEST_F(StackTableTest, ThreadsInternDifferentStacks) {
  constexpr uint32_t kThreads = 4, kNodes = 20'000;
  SetUpTable(kThreads * kNodes + kFirstNode);
  std::vector<std::vector<uint32_t>> ids(kThreads);
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &ids] {
      for (uint32_t i = 0; i < kNodes; ++i) {
        ids[t].push_back(InternNumber(i * kThreads + t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint32_t> all;
  for (uint32_t t = 0; t < kThreads; ++t) {
    for (uint32_t i = 0; i < kNodes; ++i) {
      ExpectNodeOfNumber(ids[t][i], i * kThreads + t);
      all.insert(ids[t][i]);
      ASSERT_EQ(InternNumber(i * kThreads + t), ids[t][i]);
    }
  }
  EXPECT_EQ(all.size(), size_t{kThreads} * kNodes);
}

// Two threads, step by step together, so that they race for nearly every slot.
TEST_F(StackTableTest, LoserOfARaceTakesTheWinnersNode) {
  constexpr uint32_t kNodes = 2'000, kStep = 16;
  SetUpTable(2 * kNodes + kFirstNode);
  std::vector<std::vector<uint32_t>> ids(2);
  std::atomic<uint32_t> arrived{0};
  const auto run = [this, &ids, &arrived](uint32_t t) {
    for (uint32_t i = 0; i < kNodes; ++i) {
      if (i % kStep == 0) {
        arrived.fetch_add(1);
        while (arrived.load() < 2 * (i / kStep + 1)) std::this_thread::yield();
      }
      ids[t].push_back(InternNumber(i));
    }
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  uint32_t different = 0;
  for (uint32_t i = 0; i < kNodes; ++i) different += ids[0][i] != ids[1][i];
  EXPECT_LE(different, 8u);  // see ThreadsAgreeOnTheSameStacks
}

// When the array fills while threads race, ids never leave it.
TEST_F(StackTableTest, ThreadsFillTheArray) {
  constexpr uint32_t kThreads = 4, kNodes = 5'000;
  SetUpTable(kNodes);
  std::vector<std::thread> threads;
  std::vector<uint32_t> largest(kThreads), unknown(kThreads);
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &largest, &unknown] {
      for (uint32_t i = 0; i < kNodes; ++i) {
        const uint32_t id = InternNumber(i * kThreads + t);
        largest[t] = std::max(largest[t], id);
        unknown[t] += id == kRootUnknown;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint32_t total_unknown = 0;
  for (uint32_t t = 0; t < kThreads; ++t) {
    EXPECT_LT(largest[t], kNodes);
    total_unknown += unknown[t];
  }
  EXPECT_GE(total_unknown, (kThreads - 1) * kNodes);
  // A few threads may pass the check at once; the counter can't run away.
  EXPECT_LE(header_.node_count.load(), kNodes + kThreads);
}

}  // namespace
}  // namespace mallogram
