// Filters of blocks against a list of blocks that is kept here: every figure of the
// summary, for many filters, also together.
#include "analyzer/recording/block_filter.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/recording/selected_blocks.h"
#include "analyzer/recording/trace_reader.h"
#include "preload/trace/heap_model.h"
#include "tests/analyzer/trace_files.h"

namespace mallogram {
namespace {

constexpr uint32_t kStacks = 5, kThreads = 3, kEvents = 4000;
// Stored times are off by 20 µs at most, so that bounds between two events' times
// are on one side of both.
constexpr uint64_t kStepNs = 1'000'000;

struct Block {
  uint32_t thread, slot, stack;
  uint64_t size;
  size_t born;             // the event's number
  size_t died = SIZE_MAX;  // SIZE_MAX: never
  bool temporary = false;
};

struct Recorded {
  std::string bytes;
  std::vector<Block> blocks;  // in the order of their allocation
};

uint64_t TimeOf(size_t event) { return (event + 1) * kStepNs; }

Recorded Make() {
  Recorded made;
  TraceFileBuilder file;
  RunInfo run;
  run.executable = "/usr/bin/made";
  file.Add(ChunkType::kRun, EncodeRunInfo(run));
  file.Add(ChunkType::kThreads, EncodeThreads({{0, 100, "made", 0},
                                               {1, 101, "worker 1", 0},
                                               {2, 102, "worker 2", 0}}));
  std::mt19937 random(7);
  HeapModel heap;
  EventEncoder encoder;
  std::vector<size_t> alive;        // in made.blocks
  std::map<uint32_t, size_t> last;  // allocation of a thread
  for (size_t i = 0; i < kEvents; ++i) {
    Event event;
    event.time_ns = TimeOf(i);
    event.thread = random() % kThreads;
    const uint32_t what = random() % 8;
    if (!alive.empty() && what < 4) {
      // Often the newest, so that some are temporary.
      const size_t at = what == 0 ? alive.size() - 1 : random() % alive.size();
      Block& block = made.blocks[alive[at]];
      event.kind = what == 1 ? EventKind::kMove : EventKind::kFree;
      event.slot = block.slot;
      block.died = i;
      const auto known = last.find(event.thread);
      block.temporary = block.thread == event.thread && known != last.end() &&
                        known->second == alive[at];
      alive.erase(alive.begin() + static_cast<ptrdiff_t>(at));
    }
    if (event.kind != EventKind::kFree) {
      event.stack = kFirstStackId + random() % kStacks;
      event.size = random() % 3000;
      Block block{event.thread, 0, event.stack, event.size, i};
      block.slot =
          event.kind == EventKind::kMove
              ? heap.Move(event.thread, event.slot, event.stack, event.size,
                          event.time_ns)
              : heap.Allocate(event.thread, event.stack, event.size, event.time_ns);
      last[event.thread] = made.blocks.size();
      alive.push_back(made.blocks.size());
      made.blocks.push_back(block);
    } else {
      heap.Free(event.thread, event.slot, event.time_ns);
    }
    encoder.Add(event);
    if (i % 700 == 699) file.AddEvents(&encoder);
  }
  file.AddEvents(&encoder);
  Summary summary = heap.Summarize();
  summary.timeline = {{TimeOf(kEvents / 2), 1, 1, 4096}};
  made.bytes = file.Finish(summary);
  return made;
}

class BlockFilterTest : public testing::Test {
 protected:
  void SetUp() override {
    recorded_ = Make();
    path_ = absl::StrCat(testing::TempDir(), "/block_filter.", getpid(), ".mgram");
    std::ofstream(path_) << recorded_.bytes;
  }
  void TearDown() override { remove(path_.c_str()); }

  Trace Read(const BlockFilter& filter) {
    ReadOptions options;
    options.blocks = filter;
    absl::StatusOr<Trace> trace =
        ReadTrace(path_, options, [](uint64_t, uint64_t) {});
    EXPECT_TRUE(trace.ok()) << trace.status();
    return trace.ok() ? *std::move(trace) : Trace();
  }

  // The figures of the blocks that `selects`, up to the event `end`.
  void Expect(const BlockFilter& filter, size_t end,
              const std::function<bool(const Block&)>& selects) {
    std::map<uint32_t, SiteTotals> sites;
    std::map<size_t, std::pair<int64_t, int64_t>> steps;  // freed, allocated
    for (const Block& block : recorded_.blocks) {
      if (block.born >= end || !selects(block)) continue;
      SiteTotals& site = sites[block.stack];
      ++site.calls;
      site.bytes_allocated += block.size;
      steps[block.born].second += static_cast<int64_t>(block.size);
      if (block.died < end) {
        ++site.frees;
        site.temporary += block.temporary ? 1 : 0;
        steps[block.died].first -= static_cast<int64_t>(block.size);
      } else {
        ++site.live_blocks;
        site.live_bytes += block.size;
      }
    }
    int64_t live = 0, peak = 0;
    for (const auto& [event, step] : steps) {
      live += step.first + step.second;
      peak = std::max(peak, live);
    }
    const Trace trace = Read(filter);
    EXPECT_EQ(trace.summary.totals.peak_heap_bytes, static_cast<uint64_t>(peak));
    EXPECT_EQ(trace.summary.sites.size(), sites.size());
    uint64_t allocations = 0, temporary = 0, sized = 0;
    for (const SiteTotals& site : trace.summary.sites) {
      const SiteTotals& expected = sites[site.stack];
      EXPECT_EQ(site.calls, expected.calls);
      EXPECT_EQ(site.bytes_allocated, expected.bytes_allocated);
      EXPECT_EQ(site.frees, expected.frees);
      EXPECT_EQ(site.temporary, expected.temporary);
      EXPECT_EQ(site.live_blocks, expected.live_blocks);
      EXPECT_EQ(site.live_bytes, expected.live_bytes);
      allocations += expected.calls;
      temporary += expected.temporary;
    }
    for (const SizeClass& size : trace.summary.sizes) sized += size.calls;
    EXPECT_EQ(trace.summary.totals.allocations, allocations);
    EXPECT_EQ(trace.summary.totals.temporary, temporary);
    EXPECT_EQ(sized, allocations);
    ASSERT_TRUE(trace.unfiltered.has_value());
    EXPECT_EQ(trace.unfiltered->allocations, recorded_.blocks.size());
    EXPECT_GT(allocations, 100u);  // else it says little
    EXPECT_LT(allocations, recorded_.blocks.size());
    EXPECT_GT(temporary, 5u);
  }

  Recorded recorded_;
  std::string path_;
};

constexpr size_t kEnd = kEvents + 1;

TEST_F(BlockFilterTest, Sizes) {
  BlockFilter filter;
  filter.bytes = {100, 1000};
  Expect(filter, kEnd,
         [](const Block& b) { return b.size >= 100 && b.size <= 1000; });
}

TEST_F(BlockFilterTest, Threads) {
  BlockFilter filter;
  filter.thread = "main";
  Expect(filter, kEnd, [](const Block& b) { return b.thread == 0; });
  filter.thread = "102";
  Expect(filter, kEnd, [](const Block& b) { return b.thread == 2; });
  filter.thread = "^work";
  Expect(filter, kEnd, [](const Block& b) { return b.thread != 0; });
}

TEST_F(BlockFilterTest, Window) {
  BlockFilter filter;
  filter.from = "1.0005s";
  filter.to = "3000.5ms";
  Expect(filter, 3000, [](const Block& b) { return b.born >= 1000; });
}

TEST_F(BlockFilterTest, Lifetimes) {
  const auto lived = [](const Block& block) {
    return (block.died == SIZE_MAX ? kEvents - 1 : block.died) - block.born;
  };
  BlockFilter filter;
  filter.lifetime_ns.high = 10 * kStepNs + kStepNs / 2;
  Expect(filter, kEnd, [&](const Block& b) { return lived(b) <= 10; });
  filter.lifetime_ns = {kStepNs / 2, 100 * kStepNs + kStepNs / 2};
  Expect(filter, kEnd,
         [&](const Block& b) { return lived(b) > 0 && lived(b) <= 100; });
}

TEST_F(BlockFilterTest, Together) {
  BlockFilter filter;
  filter.thread = "worker";
  filter.bytes.low = 500;
  filter.from = "0.5005s";
  filter.lifetime_ns.high = 500 * kStepNs + kStepNs / 2;
  Expect(filter, kEnd, [](const Block& b) {
    return b.thread != 0 && b.size >= 500 && b.born >= 500 &&
           (b.died == SIZE_MAX ? kEvents - 1 : b.died) - b.born <= 500;
  });
}

TEST_F(BlockFilterTest, TimelineIsOfTheSelected) {
  BlockFilter filter;
  filter.bytes.high = 1000;
  const Trace trace = Read(filter);
  uint64_t live = 0;
  for (const Block& block : recorded_.blocks) {
    if (block.size <= 1000 && block.born < kEvents / 2 &&
        (block.died == SIZE_MAX || block.died >= kEvents / 2)) {
      live += block.size;
    }
  }
  ASSERT_EQ(trace.summary.timeline.size(), 1u);
  EXPECT_NEAR(static_cast<double>(trace.summary.timeline[0].heap_bytes),
              static_cast<double>(live), 3000);  // the event at that time
  EXPECT_EQ(trace.summary.timeline[0].rss_bytes, 4096u);
}

TEST_F(BlockFilterTest, BlocksAtAMoment) {
  absl::StatusOr<Recording> recording = Recording::Open(path_);
  ASSERT_TRUE(recording.ok());
  BlockFilter filter;
  filter.bytes.low = 1500;
  const auto none = [](uint64_t, uint64_t) {};
  const absl::StatusOr<BlocksByStack> found =
      SelectedAt(*recording, filter, Read(BlockFilter()), Moment{0, 2000}, none);
  ASSERT_TRUE(found.ok()) << found.status();
  BlocksByStack expected;
  for (const Block& block : recorded_.blocks) {
    if (block.size < 1500 || block.born >= 2000 || block.died < 2000) continue;
    ++expected[block.stack].blocks;
    expected[block.stack].bytes += block.size;
  }
  ASSERT_EQ(found->size(), expected.size());
  for (const auto& [stack, site] : *found) {
    EXPECT_EQ(site.blocks, expected[stack].blocks);
    EXPECT_EQ(site.bytes, expected[stack].bytes);
  }
}

TEST_F(BlockFilterTest, MistakesAreNamed) {
  const auto fails = [this](const BlockFilter& filter) {
    ReadOptions options;
    options.blocks = filter;
    const absl::StatusOr<Trace> trace =
        ReadTrace(path_, options, [](uint64_t, uint64_t) {});
    EXPECT_TRUE(absl::IsInvalidArgument(trace.status())) << trace.status();
    return std::string(trace.status().message());
  };
  BlockFilter filter;
  filter.thread = "nobody";
  EXPECT_TRUE(absl::StrContains(fails(filter), "no thread \"nobody\""));
  filter.thread = "(";
  EXPECT_TRUE(absl::StrContains(fails(filter), "--thread: ("));
  filter.thread = "";
  filter.to = "loaded";
  EXPECT_TRUE(absl::StrContains(fails(filter), "--to takes a time"));
}

}  // namespace
}  // namespace mallogram
