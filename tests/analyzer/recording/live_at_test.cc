// The heap at moments, against a heap that is kept here: a map of blocks, and the
// live bytes after every event.
#include "analyzer/recording/live_at.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <random>

#include "absl/strings/match.h"
#include "tests/analyzer/trace_files.h"

namespace mallogram {
namespace {

constexpr uint32_t kStacks = 5;

struct Truth {
  std::map<uint32_t, LiveSite> sites;  // by stack
  uint64_t bytes = 0;
};

// A recording with threads and several chunks, and what the heap was after every
// event. Every event is stamped if there is a second thread.
struct Recorded {
  std::string whole, unfinished;
  std::vector<uint64_t> times;  // of events
  std::vector<Truth> after;     // [i]: after i events
};

Recorded Make(uint32_t events, uint32_t threads, uint64_t step_ns,
              uint64_t sample_interval = 0) {
  Recorded made;
  TraceFileBuilder file;
  RunInfo run;
  run.executable = "/usr/bin/made";
  run.sample_interval = sample_interval;
  file.Add(ChunkType::kRun, EncodeRunInfo(run));
  std::vector<Thread> list;
  for (uint32_t i = 0; i < threads; ++i) list.push_back({i, 100 + i, "t", i});
  file.Add(ChunkType::kThreads, EncodeThreads(list));

  struct Block {
    uint32_t slot, stack;
    uint64_t size;
  };
  std::mt19937 random(7);
  std::vector<Block> blocks;
  HeapModel heap;
  EventEncoder encoder;
  Truth now;
  made.after.push_back(now);
  uint64_t time_ns = 0;
  const auto change = [&now](const Block& block, bool add) {
    LiveSite& site = now.sites[block.stack];
    site.stack = block.stack;
    site.blocks += add ? 1 : -1;
    site.bytes += add ? block.size : -block.size;
    now.bytes += add ? block.size : -block.size;
    if (site.blocks == 0) now.sites.erase(block.stack);
  };
  for (uint32_t i = 0; i < events; ++i) {
    Event event;
    event.time_ns = time_ns += step_ns / 2 + random() % step_ns;
    event.thread = random() % threads;
    if (blocks.empty() || random() % 3 != 0) {
      event.stack = kFirstStackId + random() % kStacks;
      event.size = random() % 5000;
      const uint32_t slot =
          heap.Allocate(event.thread, event.stack, event.size, time_ns);
      blocks.push_back({slot, event.stack, event.size});
      change(blocks.back(), true);
    } else {
      const size_t which = random() % blocks.size();
      event.kind = EventKind::kFree;
      event.slot = blocks[which].slot;
      heap.Free(event.thread, event.slot, time_ns);
      change(blocks[which], false);
      blocks[which] = blocks.back();
      blocks.pop_back();
    }
    encoder.Add(event);
    made.times.push_back(time_ns);
    made.after.push_back(now);
    if (i % 700 == 699) file.AddEvents(&encoder);
  }
  file.AddEvents(&encoder);
  made.unfinished = file.bytes();
  made.whole = file.Finish(heap.Summarize());
  return made;
}

std::vector<LiveHeap> LiveIn(const std::string& bytes,
                             const std::vector<Moment>& moments) {
  absl::StatusOr<Recording> recording =
      Recording::Open(MemorySource(bytes), "live_at.mgram");
  EXPECT_TRUE(recording.ok()) << recording.status();
  absl::StatusOr<std::vector<LiveHeap>> heaps =
      LiveAt(*recording, moments, [](uint64_t, uint64_t) {});
  EXPECT_TRUE(heaps.ok()) << heaps.status();
  return *std::move(heaps);
}

void ExpectHeap(const LiveHeap& heap, const Truth& truth) {
  EXPECT_EQ(heap.bytes, truth.bytes);
  ASSERT_EQ(heap.sites.size(), truth.sites.size());
  auto site = truth.sites.begin();
  for (const LiveSite& got : heap.sites) {
    EXPECT_EQ(got.stack, site->first);
    EXPECT_EQ(got.blocks, site->second.blocks);
    EXPECT_EQ(got.bytes, site->second.bytes);
    ++site;
  }
}

TEST(LiveAt, AfterEventsIsExact) {
  const Recorded made = Make(3000, 2, 1000);
  std::vector<Moment> moments;
  for (uint64_t i = 3000; i + 1 > 0 && i <= 3000; i -= 37)
    moments.push_back({0, i});
  moments.push_back({0, 0});
  const std::vector<LiveHeap> heaps = LiveIn(made.whole, moments);
  ASSERT_EQ(heaps.size(), moments.size());
  for (size_t i = 0; i < heaps.size(); ++i) {
    SCOPED_TRACE(moments[i].events);
    EXPECT_TRUE(heaps[i].exact());
    EXPECT_EQ(heaps[i].events, moments[i].events);
    ExpectHeap(heaps[i], made.after[moments[i].events]);
  }
}

// Events far apart and each stamped: the time tells exactly how many came before.
TEST(LiveAt, AtTimesBetweenDistantEventsIsExact) {
  const Recorded made = Make(500, 2, 1'000'000);
  std::vector<Moment> moments;
  for (size_t i = 10; i < 500; i += 49)
    moments.push_back({(made.times[i - 1] + made.times[i]) / 2});
  const std::vector<LiveHeap> heaps = LiveIn(made.whole, moments);
  for (size_t i = 0; i < heaps.size(); ++i) {
    EXPECT_TRUE(heaps[i].exact());
    ExpectHeap(heaps[i], made.after[10 + 49 * i]);
  }
}

// Whatever came before that time, give or take the precision, is between low and
// high; and for one thread, also what the sparse stamps leave open.
TEST(LiveAt, TimesAmongManyEventsGiveARange) {
  for (const uint32_t threads : {1u, 2u}) {
    const Recorded made = Make(6000, threads, 1000);
    const uint64_t slack = threads == 1 ? 96 : 19;  // events
    std::vector<Moment> moments;
    for (size_t i = 200; i < 5900; i += 119) moments.push_back({made.times[i]});
    const std::vector<LiveHeap> heaps = LiveIn(made.whole, moments);
    for (size_t i = 0; i < heaps.size(); ++i) {
      const uint64_t at = 200 + 119 * i + 1;
      EXPECT_FALSE(heaps[i].exact());
      uint64_t low = UINT64_MAX, high = 0;
      for (uint64_t events = at - slack; events <= at + 18; ++events) {
        low = std::min(low, made.after[events].bytes);
        high = std::max(high, made.after[events].bytes);
      }
      EXPECT_LE(heaps[i].low_bytes, low);
      EXPECT_GE(heaps[i].high_bytes, high);
      EXPECT_LE(heaps[i].low_bytes, heaps[i].bytes);
      EXPECT_GE(heaps[i].high_bytes, heaps[i].bytes);
      ExpectHeap(heaps[i], made.after[heaps[i].events]);
    }
  }
}

TEST(LiveAt, BeyondTheEndIsTheEnd) {
  const Recorded made = Make(1000, 1, 1000);
  for (const Moment moment :
       {Moment{UINT64_MAX}, Moment{made.times.back() + 50'000}, Moment{0, 5000}}) {
    const std::vector<LiveHeap> heaps = LiveIn(made.whole, {moment});
    ExpectHeap(heaps[0], made.after.back());
    EXPECT_EQ(heaps[0].warning, "");
  }
  ExpectHeap(LiveIn(made.whole, {{0}})[0], Truth());
}

TEST(LiveAt, WithoutFooterSaysSoOfWhatIsBeyond) {
  const Recorded made = Make(1000, 2, 1000);
  const std::vector<LiveHeap> heaps =
      LiveIn(made.unfinished, {{0, 500}, {UINT64_MAX}});
  EXPECT_EQ(heaps[0].warning, "");
  ExpectHeap(heaps[0], made.after[500]);
  EXPECT_TRUE(absl::StrContains(heaps[1].warning, "no footer")) << heaps[1].warning;
  EXPECT_FALSE(heaps[1].exact());
  ExpectHeap(heaps[1], made.after.back());
}

// The chunk of events 700 to 1399 is damaged: moments before it are whole, moments
// behind it say what they lack.
TEST(LiveAt, DamageEndsWhatIsKnown) {
  const Recorded made = Make(3000, 2, 1000);
  for (const bool whole : {true, false}) {
    std::string bytes = whole ? made.whole : made.unfinished;
    // In the second of four or five chunks of about the same size.
    bytes[bytes.size() * (whole ? 33 : 36) / 100] ^= 0x55;
    const std::vector<LiveHeap> heaps = LiveIn(bytes, {{0, 300}, {0, 2000}});
    EXPECT_EQ(heaps[0].warning, "");
    ExpectHeap(heaps[0], made.after[300]);
    EXPECT_TRUE(absl::StrContains(heaps[1].warning, "cannot be read"))
        << heaps[1].warning;
    EXPECT_FALSE(heaps[1].exact());
    EXPECT_LT(heaps[1].events, 2000u);
    ExpectHeap(heaps[1], made.after[heaps[1].events]);
  }
}

// Blocks of a sampled recording stand for others: the estimate of the sums.
TEST(LiveAt, SampledGivesEstimates) {
  const Recorded made = Make(2000, 2, 1000, /*sample_interval=*/2000);
  const LiveHeap heap = LiveIn(made.whole, {{0, 1500}})[0];
  EXPECT_GT(heap.bytes, made.after[1500].bytes);
  uint64_t sum = 0;
  for (const LiveSite& site : heap.sites) sum += site.bytes;
  EXPECT_EQ(heap.bytes, sum);
  EXPECT_NEAR(static_cast<double>(heap.low_bytes), static_cast<double>(sum),
              kStacks);
}

}  // namespace
}  // namespace mallogram
