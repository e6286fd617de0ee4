// The model against heaps worked out by hand.
#include "preload/trace/heap_model.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace mallogram {
namespace {

constexpr uint32_t kA = 10, kB = 11, kC = 12;  // call sites

std::map<uint32_t, SiteTotals> SitesOf(const HeapModel& model) {
  std::map<uint32_t, SiteTotals> sites;
  for (const SiteTotals& site : model.Summarize().sites) sites[site.stack] = site;
  return sites;
}

TEST(HeapModel, SlotsAreLastReleasedFirst) {
  HeapModel model;
  EXPECT_EQ(model.Allocate(0, kA, 1, 1), 0u);
  EXPECT_EQ(model.Allocate(0, kA, 1, 1), 1u);
  EXPECT_EQ(model.Allocate(0, kA, 1, 1), 2u);
  model.Free(0, 0, 2);
  model.Free(0, 2, 2);
  EXPECT_FALSE(model.IsLive(0));
  EXPECT_TRUE(model.IsLive(1));
  EXPECT_EQ(model.Allocate(0, kA, 1, 3), 2u);
  EXPECT_EQ(model.Move(0, 1, kB, 5, 4), 1u);
  EXPECT_EQ(model.Allocate(0, kA, 1, 5), 0u);
  EXPECT_EQ(model.Allocate(0, kA, 1, 6), 3u);
}

//             live: A    B    C    all
//  A +100           100            100
//  B +50            100  50        150
//  A -100             0  50         50
//  C +200             0  50  200   250   <- peak
//  B -50              0   0  200   200
//  A +49             49   0  200   249
//  A +2 -2           49   0  200   251   <- peak (A 51)
//  C -200, C +30
TEST(HeapModel, PeakBySite) {
  HeapModel model;
  const uint32_t a = model.Allocate(0, kA, 100, 1);
  const uint32_t b = model.Allocate(0, kB, 50, 2);
  model.Free(0, a, 3);
  const uint32_t c = model.Allocate(0, kC, 200, 4);
  EXPECT_EQ(model.peak_bytes(), 250u);
  EXPECT_EQ(SitesOf(model)[kA].peak_bytes, 0u);
  EXPECT_EQ(SitesOf(model)[kB].peak_bytes, 50u);
  EXPECT_EQ(SitesOf(model)[kC].peak_bytes, 200u);
  model.Free(0, b, 5);
  model.Allocate(0, kA, 49, 6);
  EXPECT_EQ(SitesOf(model)[kB].peak_bytes, 50u) << "249 is no new peak";
  EXPECT_EQ(SitesOf(model)[kA].peak_bytes, 0u);
  const uint32_t small = model.Allocate(0, kA, 2, 7);
  model.Free(0, small, 8);
  model.Free(0, c, 9);
  model.Allocate(0, kC, 30, 10);

  std::map<uint32_t, SiteTotals> sites = SitesOf(model);
  EXPECT_EQ(sites[kA].peak_bytes, 51u);
  EXPECT_EQ(sites[kA].peak_blocks, 2u);
  EXPECT_EQ(sites[kA].own_peak_bytes, 100u);
  EXPECT_EQ(sites[kA].live_bytes, 49u);
  EXPECT_EQ(sites[kA].live_blocks, 1u);
  EXPECT_EQ(sites[kA].frees, 2u);
  EXPECT_EQ(sites[kA].lifetime_ns, 2u + 1u);
  EXPECT_EQ(sites[kB].peak_bytes, 0u);
  EXPECT_EQ(sites[kC].peak_bytes, 200u);
  EXPECT_EQ(sites[kC].peak_blocks, 1u);
  EXPECT_EQ(sites[kC].live_bytes, 30u);
  const Totals totals = model.Summarize().totals;
  EXPECT_EQ(totals.peak_heap_bytes, 251u);
  EXPECT_EQ(totals.peak_heap_blocks, 3u);
  EXPECT_EQ(totals.peak_time_ns, 7u);
  EXPECT_EQ(totals.allocations, 6u);
  EXPECT_EQ(totals.frees, 4u);
  EXPECT_EQ(totals.live_blocks, 2u);
  EXPECT_EQ(totals.bytes_allocated, 100u + 50 + 200 + 49 + 2 + 30);
  EXPECT_EQ(totals.duration_ns, 10u);
}

TEST(HeapModel, TemporaryIsPerThread) {
  HeapModel model;
  // Thread 1's allocation between them does not make thread 0's block lasting.
  const uint32_t a = model.Allocate(0, kA, 8, 1);
  const uint32_t b = model.Allocate(1, kB, 8, 2);
  model.Free(0, a, 3);
  EXPECT_EQ(model.Summarize().totals.temporary, 1u);
  // Another thread frees it: not temporary.
  model.Free(0, b, 4);
  EXPECT_EQ(model.Summarize().totals.temporary, 1u);
  // Its own next allocation came first: not temporary.
  const uint32_t c = model.Allocate(0, kA, 8, 5);
  const uint32_t d = model.Allocate(0, kA, 8, 6);
  model.Free(0, c, 7);
  EXPECT_EQ(model.Summarize().totals.temporary, 1u);
  model.Free(0, d, 8);
  EXPECT_EQ(model.Summarize().totals.temporary, 2u);
  // The slot changed hands: thread 0's last allocation was freed by thread 1, which
  // then got the same slot; thread 0 frees thread 1's block.
  const uint32_t e = model.Allocate(0, kA, 8, 9);
  model.Free(1, e, 10);
  ASSERT_EQ(model.Allocate(1, kB, 8, 11), e);
  model.Free(0, e, 12);
  EXPECT_EQ(model.Summarize().totals.temporary, 2u);
  EXPECT_EQ(SitesOf(model)[kA].temporary, 2u);
  EXPECT_EQ(SitesOf(model)[kB].temporary, 0u);
}

TEST(HeapModel, MoveIsFreeAndAllocation) {
  HeapModel model;
  const uint32_t a = model.Allocate(0, kA, 100, 1);
  model.Allocate(0, kA, 1, 2);
  model.Move(0, a, kB, 300, 3);
  model.Move(1, a, kB, 200, 4);
  const Totals totals = model.Summarize().totals;
  EXPECT_EQ(totals.allocations, 4u);
  EXPECT_EQ(totals.frees, 2u);
  EXPECT_EQ(totals.reallocations, 2u);
  EXPECT_EQ(totals.live_blocks, 2u);
  EXPECT_EQ(totals.live_bytes, 201u);
  EXPECT_EQ(totals.peak_heap_bytes, 301u) << "never 401: the old block goes first";
  EXPECT_EQ(totals.temporary, 0u);
  std::map<uint32_t, SiteTotals> sites = SitesOf(model);
  EXPECT_EQ(sites[kA].live_bytes, 1u);
  EXPECT_EQ(sites[kA].reallocations, 0u);
  EXPECT_EQ(sites[kB].reallocations, 2u);
  EXPECT_EQ(sites[kB].calls, 2u);
  EXPECT_EQ(sites[kB].live_bytes, 200u);
  EXPECT_EQ(sites[kB].peak_bytes, 300u);
  int seen = 0;
  model.ForEachLive([&](uint32_t slot, uint32_t stack, uint64_t size, uint64_t time,
                        uint32_t thread) {
    ++seen;
    if (slot != a) return;
    EXPECT_EQ(stack, kB);
    EXPECT_EQ(size, 200u);
    EXPECT_EQ(time, 4u);
    EXPECT_EQ(thread, 1u);
  });
  EXPECT_EQ(seen, 2);
}

TEST(HeapModel, SizesUnknownFreesAndLosses) {
  HeapModel model;
  model.Allocate(0, kA, 0, 1);
  model.Allocate(0, kA, 1, 1);
  model.Free(0, model.Allocate(0, kA, 16, 1), 1);
  model.Allocate(0, kA, HeapModel::kMaxSize, 1);
  model.FreeUnknown(2);
  model.Lose(kC, 3, 300, 3);
  model.Lose(kA, 1, 10, 4);
  const Summary summary = model.Summarize();
  ASSERT_EQ(summary.sizes.size(), static_cast<size_t>(kSizeBuckets));
  EXPECT_EQ(summary.sizes[0].calls, 1u);
  EXPECT_EQ(summary.sizes[1].live_blocks, 1u);
  EXPECT_EQ(summary.sizes[5].calls, 1u);
  EXPECT_EQ(summary.sizes[5].live_bytes, 0u);
  EXPECT_EQ(summary.sizes[5].temporary, 1u);
  EXPECT_EQ(summary.sizes[62].calls, 1u);
  EXPECT_EQ(summary.totals.unknown_frees, 1u);
  EXPECT_EQ(summary.totals.allocations - summary.totals.frees, 3u);
  EXPECT_EQ(summary.loss.events_lost, 4u);
  EXPECT_EQ(summary.loss.bytes_lost, 310u);
  EXPECT_EQ(SitesOf(model)[kC].lost, 3u);
  EXPECT_EQ(SitesOf(model)[kC].calls, 0u);
  EXPECT_EQ(SitesOf(model)[kA].lost_bytes, 10u);
}

// A block holds its size in 35 bits and its time in 40; what is more is kept, too.
TEST(HeapModel, HugeSizes) {
  HeapModel model;
  const uint64_t kSizes[] = {(uint64_t{1} << 35) - 2, (uint64_t{1} << 35) - 1,
                             uint64_t{1} << 35, HeapModel::kMaxSize / 8};
  std::vector<uint32_t> slots;
  uint64_t sum = 0;
  for (const uint64_t size : kSizes) {
    slots.push_back(model.Allocate(0, kA, size, 1));
    sum += size;
    EXPECT_EQ(model.live_bytes(), sum);
  }
  std::vector<uint64_t> sizes;
  model.ForEachLive([&](uint32_t, uint32_t, uint64_t size, uint64_t, uint32_t) {
    sizes.push_back(size);
  });
  EXPECT_EQ(sizes, std::vector<uint64_t>(std::begin(kSizes), std::end(kSizes)));
  EXPECT_EQ(model.Move(0, slots[2], kB, 7, 2), slots[2]);
  sum += 7 - kSizes[2];
  EXPECT_EQ(model.live_bytes(), sum);
  for (const uint32_t slot : slots) model.Free(0, slot, 3);
  EXPECT_EQ(model.live_bytes(), 0u);
  EXPECT_EQ(SitesOf(model)[kA].live_bytes, 0u);
}

TEST(HeapModel, LongRecordings) {
  HeapModel model;
  constexpr uint64_t kDay = 86'400'000'000'000;
  constexpr uint32_t kThread = (1u << 24) - 1;
  const uint32_t early = model.Allocate(kThread, kA, 1, 123);
  const uint32_t day = model.Allocate(kThread, kB, 1, kDay);
  const uint32_t late = model.Allocate(kThread, kC, 1, 1000 * kDay);
  std::vector<uint64_t> times;
  model.ForEachLive(
      [&](uint32_t, uint32_t, uint64_t, uint64_t time, uint32_t thread) {
        times.push_back(time);
        EXPECT_EQ(thread, kThread);
      });
  // To 2^-40 of what has passed: 131 µs in 1,000 days.
  constexpr uint64_t kError = 1 << 17;
  ASSERT_EQ(times.size(), 3u);
  EXPECT_LE(times[0], 123u);
  EXPECT_NEAR(times[1], kDay, kError);
  EXPECT_NEAR(times[2], 1000 * kDay, kError);
  model.Free(0, early, 2000 * kDay);
  model.Free(0, day, 2000 * kDay);
  model.Free(kThread, late, 2000 * kDay);
  EXPECT_NEAR(SitesOf(model)[kA].lifetime_ns, 2000 * kDay, kError);
  EXPECT_NEAR(SitesOf(model)[kB].lifetime_ns, 1999 * kDay, kError);
  EXPECT_NEAR(SitesOf(model)[kC].lifetime_ns, 1000 * kDay, kError);
  EXPECT_EQ(SitesOf(model)[kC].temporary, 1u);
  // Nothing is so late that it spoils another field.
  const uint32_t last = model.Allocate(kThread, kA, 9, UINT64_MAX);
  model.Free(kThread, last, UINT64_MAX);
  EXPECT_EQ(SitesOf(model)[kA].temporary, 1u);
}

TEST(HeapModel, RecentMaximum) {
  HeapModel model;
  const uint32_t a = model.Allocate(0, kA, 100, 1);
  model.Free(0, a, 2);
  model.Allocate(0, kA, 10, 3);
  EXPECT_EQ(model.TakeRecentMax(), 100u);
  EXPECT_EQ(model.TakeRecentMax(), 10u);
}

TEST(HeapModel, ApplyRefusesDamage) {
  HeapModel model;
  Event event;
  event.kind = EventKind::kFree;
  EXPECT_FALSE(model.Apply(event));
  event.kind = EventKind::kAlloc;
  event.stack = kA;
  ASSERT_TRUE(model.Apply(event));
  event.kind = EventKind::kFree;
  event.slot = 1;
  EXPECT_FALSE(model.Apply(event));
  event.slot = UINT32_MAX;
  EXPECT_FALSE(model.Apply(event));
  event.slot = 0;
  EXPECT_TRUE(model.Apply(event));
  EXPECT_FALSE(model.Apply(event)) << "freed twice";
  event.kind = EventKind::kMove;
  EXPECT_FALSE(model.Apply(event));
  event.kind = EventKind::kAlloc;
  event.size = HeapModel::kMaxSize + 1;
  EXPECT_FALSE(model.Apply(event));
  event.size = 1;
  event.stack = kMaxStackIds;
  EXPECT_FALSE(model.Apply(event));
  event.stack = kMaxStackIds - 1;
  event.thread = kMaxThreads;
  EXPECT_FALSE(model.Apply(event));
  event.thread = kMaxThreads - 1;
  EXPECT_TRUE(model.Apply(event)) << "the largest ids cost pages, not arrays";
  event.kind = static_cast<EventKind>(9);
  EXPECT_FALSE(model.Apply(event));
  EXPECT_EQ(model.Summarize().totals.allocations, 2u);
}

}  // namespace
}  // namespace mallogram
