// Estimates from events: against sums made here, and through the file.
#include "preload/trace/sampled_model.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "preload/trace/heap_model.h"

namespace mallogram {
namespace {

constexpr uint64_t kInterval = 10'000;

Event Alloc(uint32_t stack, uint64_t size, uint64_t time_ns) {
  Event event;
  event.stack = stack;
  event.size = size;
  event.time_ns = time_ns;
  return event;
}
Event Free(uint32_t slot, uint64_t time_ns) {
  Event event;
  event.kind = EventKind::kFree;
  event.slot = slot;
  event.time_ns = time_ns;
  return event;
}
Event Move(uint32_t slot, uint32_t stack, uint64_t size, uint64_t time_ns) {
  Event event = Alloc(stack, size, time_ns);
  event.kind = EventKind::kMove;
  event.slot = slot;
  return event;
}

// Both models, as the collector and the reader drive them.
struct Models {
  HeapModel heap;
  SampledModel sampled{kInterval};
  EventEncoder encoder;

  void Apply(const Event& event) {
    ASSERT_TRUE(heap.Apply(event));
    sampled.Apply(event);
    encoder.Add(event);
  }
  Summary Summarize() const {
    Summary summary = heap.Summarize();
    sampled.Restate(&summary);
    return summary;
  }
};

const SiteTotals& TotalsOf(const Summary& summary, uint32_t stack) {
  for (const SiteTotals& site : summary.sites) {
    if (site.stack == stack) return site;
  }
  ADD_FAILURE() << "no site " << stack;
  return summary.sites[0];
}
const SiteEstimate& EstimateOf(const Summary& summary, uint32_t stack) {
  return summary.sampling
      .sites[static_cast<size_t>(&TotalsOf(summary, stack) - summary.sites.data())];
}

TEST(SampledModel, SumsAreWeighted) {
  Models models;
  models.Apply(Alloc(4, 100, 10));     // slot 0
  models.Apply(Alloc(4, 100, 20));     // slot 1
  models.Apply(Alloc(5, 50'000, 30));  // slot 2: the peak
  models.Apply(Free(1, 40));
  models.Apply(Move(2, 6, 200, 50));
  models.Apply(Alloc(7, 0, 60));
  const Summary summary = models.Summarize();
  const double hundred = 1 / SampleProbability(100, kInterval);

  const SiteTotals& small = TotalsOf(summary, 4);
  EXPECT_NEAR(static_cast<double>(small.calls), 2 * hundred, .5);
  EXPECT_NEAR(static_cast<double>(small.bytes_allocated), 200 * hundred, .5);
  EXPECT_NEAR(static_cast<double>(small.live_blocks), hundred, .5);
  EXPECT_NEAR(static_cast<double>(small.peak_bytes), 200 * hundred, .5);
  EXPECT_EQ(small.frees, small.calls - small.live_blocks);
  EXPECT_NEAR(static_cast<double>(small.lifetime_ns), 20 * hundred, .5);
  EXPECT_EQ(EstimateOf(summary, 4).allocated.samples, 2u);
  EXPECT_EQ(EstimateOf(summary, 4).live.samples, 1u);
  EXPECT_EQ(EstimateOf(summary, 4).peak.samples, 2u);
  EXPECT_EQ(EstimateOf(summary, 4).smallest, 100u);

  const SiteTotals& large = TotalsOf(summary, 5);
  EXPECT_EQ(large.calls, 1u);
  EXPECT_NEAR(static_cast<double>(large.peak_bytes),
              50'000 / SampleProbability(50'000, kInterval), .5);
  EXPECT_EQ(large.live_bytes, 0u);
  EXPECT_EQ(EstimateOf(summary, 5).live.bytes_variance, 0);

  EXPECT_EQ(TotalsOf(summary, 6).peak_bytes, 0u);
  EXPECT_GT(TotalsOf(summary, 6).live_bytes, 10'000u);
  // An empty block counts as a byte, and holds none.
  EXPECT_NEAR(static_cast<double>(TotalsOf(summary, 7).calls), kInterval, 1);
  EXPECT_EQ(TotalsOf(summary, 7).bytes_allocated, 0u);

  const Totals& totals = summary.totals;
  EXPECT_EQ(totals.peak_time_ns, 30u);
  EXPECT_EQ(totals.allocations - totals.frees, totals.live_blocks);
  EXPECT_EQ(summary.sampling.totals.allocated.samples, 5u);
  EXPECT_EQ(summary.sampling.totals.peak.samples, 3u);
  // What cannot be known.
  EXPECT_EQ(totals.reallocations + totals.temporary + small.temporary, 0u);
}

TEST(SampledModel, NothingIsLeftOfWhatWasFreed) {
  Models models;
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) models.Apply(Alloc(4, random() % 5000, 1));
  for (uint32_t i = 0; i < 1000; ++i) models.Apply(Free(i * 7 % 1000, 2));
  const Summary summary = models.Summarize();
  EXPECT_EQ(summary.totals.live_bytes, 0u);
  EXPECT_EQ(EstimateOf(summary, 4).live.bytes, 0);
  EXPECT_EQ(EstimateOf(summary, 4).live.bytes_variance, 0);
}

// Random events; the peak of every site is what it held at the highest moment.
TEST(SampledModel, PeaksAreOfOneMoment) {
  Models models;
  std::mt19937 random(11);
  std::vector<uint32_t> live;
  struct Now {
    double total = 0;
    std::map<uint32_t, double> sites;
  } now, peak;
  std::map<uint32_t, std::pair<uint32_t, uint64_t>> blocks;
  uint32_t next_slot = 0;
  std::vector<uint32_t> free_slots;
  for (uint64_t time = 1; time < 4000; ++time) {
    if (live.empty() || random() % 100 < (time < 2000 ? 60 : 45)) {
      const uint32_t stack = 4 + random() % 5;
      const uint64_t size = random() % 30'000;
      models.Apply(Alloc(stack, size, time));
      uint32_t slot = next_slot;
      if (free_slots.empty()) {
        ++next_slot;
      } else {
        slot = free_slots.back();
        free_slots.pop_back();
      }
      blocks[slot] = {stack, size};
      live.push_back(slot);
      const double bytes =
          static_cast<double>(size) / SampleProbability(size, kInterval);
      now.total += bytes;
      now.sites[stack] += bytes;
      if (now.total > peak.total) peak = now;
    } else {
      std::swap(live[random() % live.size()], live.back());
      const uint32_t slot = live.back();
      live.pop_back();
      free_slots.push_back(slot);
      models.Apply(Free(slot, time));
      const auto [stack, size] = blocks[slot];
      const double bytes =
          static_cast<double>(size) / SampleProbability(size, kInterval);
      now.total -= bytes;
      now.sites[stack] -= bytes;
    }
  }
  const Summary summary = models.Summarize();
  EXPECT_NEAR(static_cast<double>(summary.totals.peak_heap_bytes), peak.total, 1);
  EXPECT_NEAR(static_cast<double>(summary.totals.live_bytes), now.total, 1);
  for (const auto& [stack, bytes] : peak.sites) {
    EXPECT_NEAR(static_cast<double>(TotalsOf(summary, stack).peak_bytes), bytes, 1);
  }

  // The same events from a stored batch, and points in time.
  SampledModel folded(kInterval);
  folded.Fold(models.encoder.Take());
  EXPECT_EQ(folded.peak_bytes(), models.sampled.peak_bytes());
  EXPECT_EQ(folded.live_bytes(), models.sampled.live_bytes());
  std::vector<Sample> points(3);
  points[1].time_ns = summary.totals.peak_time_ns;
  points[2].time_ns = 5000;
  models.sampled.Restate(&points);
  EXPECT_EQ(points[0].heap_bytes, 0u);
  EXPECT_EQ(points[1].heap_bytes, summary.totals.peak_heap_bytes);
  EXPECT_EQ(points[2].heap_bytes, summary.totals.live_bytes);
  EXPECT_EQ(points[1].heap_max_bytes, summary.totals.peak_heap_bytes);
}

// A long history is thinned; maxima survive.
TEST(SampledModel, HistoryIsBounded) {
  SampledModel model(kInterval);
  for (uint64_t time = 1; time < 100'000; time += 2) {
    model.Apply(Alloc(4, 1'000'000 + (time == 33'333 ? 77'777 : 0), time));
    model.Apply(Free(0, time + 1));
  }
  std::vector<Sample> points(2);
  points[0].time_ns = 30'000;
  points[1].time_ns = 100'000;
  model.Restate(&points);
  EXPECT_LT(points[0].heap_max_bytes, 1'000'100u);
  EXPECT_EQ(points[1].heap_max_bytes, 1'077'777u);
  EXPECT_EQ(points[1].heap_bytes, 0u);
}

TEST(SampledModel, GoesThroughTheFile) {
  Models models;
  models.Apply(Alloc(4, 100, 10));
  models.Apply(Alloc(5, 50'000, 30));
  models.Apply(Free(0, 40));
  const Summary summary = models.Summarize();
  const absl::StatusOr<Summary> read = DecodeSummary(EncodeSummary(summary));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->sampling.interval, kInterval);
  ASSERT_EQ(read->sampling.sites.size(), 2u);
  for (const uint32_t stack : {4u, 5u}) {
    const SiteEstimate& a = EstimateOf(summary, stack);
    const SiteEstimate& b = EstimateOf(*read, stack);
    EXPECT_EQ(a.smallest, b.smallest);
    EXPECT_EQ(a.allocated.samples, b.allocated.samples);
    EXPECT_EQ(a.allocated.bytes, b.allocated.bytes);
    EXPECT_EQ(a.allocated.blocks_variance, b.allocated.blocks_variance);
    EXPECT_EQ(a.live.bytes, b.live.bytes);
    EXPECT_EQ(a.peak.bytes_variance, b.peak.bytes_variance);
  }
  // Of an unsampled recording nothing is added: older readers read it.
  const std::string plain = EncodeSummary(models.heap.Summarize());
  EXPECT_EQ(DecodeSummary(plain)->sampling.interval, 0u);
  RunInfo run;
  const std::string before = EncodeRunInfo(run);
  run.sample_interval = kInterval;
  EXPECT_GT(EncodeRunInfo(run).size(), before.size());
  EXPECT_EQ(DecodeRunInfo(EncodeRunInfo(run))->sample_interval, kInterval);
  EXPECT_EQ(DecodeRunInfo(before)->sample_interval, 0u);
}

TEST(SampledModel, DamagedSumsAreNoNumbersOfBlocks) {
  Models models;
  models.Apply(Alloc(4, 100, 10));
  Summary summary = models.Summarize();
  summary.sampling.sites[0].allocated.bytes = std::nan("");
  summary.sampling.sites[0].allocated.blocks = -1;
  summary.sampling.sites[0].allocated.bytes_variance = HUGE_VAL;
  const absl::StatusOr<Summary> read = DecodeSummary(EncodeSummary(summary));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->sampling.sites[0].allocated.bytes, 0);
  EXPECT_EQ(read->sampling.sites[0].allocated.blocks, 0);
  EXPECT_EQ(read->sampling.sites[0].allocated.bytes_variance, 0);
  summary = models.Summarize();
  const std::string whole = EncodeSummary(summary);
  summary.sampling = Sampling();
  const size_t plain = EncodeSummary(summary).size();
  for (size_t cut = plain + 1; cut < whole.size(); ++cut) {
    EXPECT_FALSE(DecodeSummary(whole.substr(0, cut)).ok()) << cut;
  }
}

}  // namespace
}  // namespace mallogram
