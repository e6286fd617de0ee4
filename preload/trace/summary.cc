// Codec of kSummary. The structs' scalar fields are listed once and walked by
// writer and reader alike, so the two cannot disagree about their order.
#include "preload/trace/summary.h"

#include <algorithm>
#include <bit>

#include "preload/trace/bytes.h"

namespace mallogram {
namespace {

// Each calls f on every scalar field in file order.
template <typename S, typename F>
void ForEachField(S& totals,
                  F f) requires std::is_same_v<std::remove_const_t<S>, Totals> {
  f(totals.allocations), f(totals.frees), f(totals.reallocations);
  f(totals.bytes_allocated);
  f(totals.peak_heap_bytes), f(totals.peak_heap_blocks), f(totals.peak_time_ns);
  f(totals.peak_rss_bytes);
  f(totals.live_blocks), f(totals.live_bytes), f(totals.temporary);
  f(totals.unknown_frees), f(totals.duration_ns);
}
template <typename S, typename F>
void ForEachField(S& loss,
                  F f) requires std::is_same_v<std::remove_const_t<S>, Loss> {
  f(loss.events_lost), f(loss.bytes_lost), f(loss.events_waited), f(loss.wait_ns);
  f(loss.truncated_stacks), f(loss.order_violations), f(loss.damaged_chunks);
}
template <typename S, typename F>
void ForEachField(S& self,
                  F f) requires std::is_same_v<std::remove_const_t<S>, SelfReport> {
  f(self.events), f(self.event_file_bytes), f(self.file_bytes);
  f(self.stack_nodes), f(self.sites), f(self.threads);
  f(self.walks), f(self.frames_walked), f(self.full_walks);
  f(self.image_bytes), f(self.private_bytes);
  f(self.collector_cpu_ns), f(self.collector_rss_bytes), f(self.verify_checked);
}
template <typename S, typename F>
void ForEachField(S& site,
                  F f) requires std::is_same_v<std::remove_const_t<S>, SiteTotals> {
  f(site.calls), f(site.reallocations), f(site.bytes_allocated), f(site.frees);
  f(site.live_blocks), f(site.live_bytes), f(site.peak_blocks), f(site.peak_bytes);
  f(site.own_peak_bytes), f(site.temporary), f(site.lifetime_ns);
  f(site.lost), f(site.lost_bytes);
}
constexpr uint64_t kSiteFields = 14;  // with the stack
template <typename S, typename F>
void ForEachField(S& size,
                  F f) requires std::is_same_v<std::remove_const_t<S>, SizeClass> {
  f(size.calls), f(size.bytes), f(size.live_blocks), f(size.live_bytes);
  f(size.temporary);
}
constexpr uint64_t kSizeFields = 5;

// sampling := nothing | interval totals site*
// totals, site := smallest, 3 times (samples, blocks, bytes and their variances)
template <typename S, typename F>
void ForEachSum(S& site, F f) {
  f(site.allocated), f(site.live), f(site.peak);
}

void EncodeEstimates(const SiteEstimate& site, ByteWriter* out) {
  out->Varint(site.smallest);
  ForEachSum(site, [out](const Estimate& sum) {
    out->Varint(sum.samples);
    if (sum.samples == 0) return;
    for (const double value :
         {sum.blocks, sum.bytes, sum.blocks_variance, sum.bytes_variance}) {
      out->Varint(std::bit_cast<uint64_t>(value));
    }
  });
}

SiteEstimate DecodeEstimates(ByteReader* in) {
  SiteEstimate site;
  site.smallest = in->Varint();
  ForEachSum(site, [in](Estimate& sum) {
    sum.samples = in->Varint();
    if (sum.samples == 0) return;
    for (double* value :
         {&sum.blocks, &sum.bytes, &sum.blocks_variance, &sum.bytes_variance}) {
      *value = std::bit_cast<double>(in->Varint());
      if (!(*value >= 0 && *value < 1e60)) *value = 0;  // a sum is no such number
    }
  });
  return site;
}
constexpr uint64_t kEstimateBytes = 4;  // at least

}  // namespace

SiteTotals& SiteTotals::operator+=(const SiteTotals& more) {
  calls += more.calls;
  reallocations += more.reallocations;
  bytes_allocated += more.bytes_allocated;
  frees += more.frees;
  live_blocks += more.live_blocks;
  live_bytes += more.live_bytes;
  peak_blocks += more.peak_blocks;
  peak_bytes += more.peak_bytes;
  own_peak_bytes += more.own_peak_bytes;
  temporary += more.temporary;
  lifetime_ns += more.lifetime_ns;
  lost += more.lost;
  lost_bytes += more.lost_bytes;
  return *this;
}

SizeClass& SizeClass::operator+=(const SizeClass& more) {
  calls += more.calls;
  bytes += more.bytes;
  live_blocks += more.live_blocks;
  live_bytes += more.live_bytes;
  temporary += more.temporary;
  return *this;
}

Totals& Totals::operator+=(const Totals& more) {
  allocations += more.allocations;
  frees += more.frees;
  reallocations += more.reallocations;
  bytes_allocated += more.bytes_allocated;
  peak_heap_bytes += more.peak_heap_bytes;
  peak_heap_blocks += more.peak_heap_blocks;
  peak_rss_bytes += more.peak_rss_bytes;
  live_blocks += more.live_blocks;
  live_bytes += more.live_bytes;
  temporary += more.temporary;
  unknown_frees += more.unknown_frees;
  return *this;
}

Loss& Loss::operator+=(const Loss& more) {
  events_lost += more.events_lost;
  bytes_lost += more.bytes_lost;
  events_waited += more.events_waited;
  wait_ns += more.wait_ns;
  truncated_stacks += more.truncated_stacks;
  order_violations += more.order_violations;
  damaged_chunks += more.damaged_chunks;
  return *this;
}

SelfReport& SelfReport::operator+=(const SelfReport& more) {
  events += more.events;
  event_file_bytes += more.event_file_bytes;
  file_bytes += more.file_bytes;
  stack_nodes += more.stack_nodes;
  sites += more.sites;
  threads += more.threads;
  walks += more.walks;
  frames_walked += more.frames_walked;
  full_walks += more.full_walks;
  image_bytes += more.image_bytes;
  private_bytes += more.private_bytes;
  collector_cpu_ns = std::max(collector_cpu_ns, more.collector_cpu_ns);
  collector_rss_bytes = std::max(collector_rss_bytes, more.collector_rss_bytes);
  verify_checked += more.verify_checked;
  verify_classes.resize(
      std::max(verify_classes.size(), more.verify_classes.size()));
  for (size_t i = 0; i < more.verify_classes.size(); ++i) {
    verify_classes[i] += more.verify_classes[i];
  }
  return *this;
}

std::string EncodeSummary(const Summary& summary) {
  ByteWriter out;
  const auto put = [&out](uint64_t value) { out.Varint(value); };
  ForEachField(summary.totals, put);
  ForEachField(summary.loss, put);
  ForEachField(summary.self, put);
  out.Varint(summary.self.verify_classes.size());
  for (const uint64_t count : summary.self.verify_classes) out.Varint(count);
  out.Byte(static_cast<uint8_t>(summary.end));
  out.Signed(summary.end_detail);
  out.String(summary.detail_text);
  out.Varint(summary.sites.size());
  for (const SiteTotals& site : summary.sites) {
    out.Varint(site.stack);
    ForEachField(site, put);
  }
  out.Varint(summary.sizes.size());
  for (const SizeClass& size : summary.sizes) ForEachField(size, put);
  out.String(EncodeSamples(summary.timeline));
  if (summary.sampling.interval != 0) {
    out.Varint(summary.sampling.interval);
    EncodeEstimates(summary.sampling.totals, &out);
    for (const SiteEstimate& site : summary.sampling.sites) {
      EncodeEstimates(site, &out);
    }
  }
  return out.Take();
}

absl::StatusOr<Summary> DecodeSummary(std::string_view payload) {
  ByteReader in(payload);
  const auto get = [&in](uint64_t& value) { value = in.Varint(); };
  Summary summary;
  ForEachField(summary.totals, get);
  ForEachField(summary.loss, get);
  ForEachField(summary.self, get);
  summary.self.verify_classes.resize(in.Count());
  for (uint64_t& count : summary.self.verify_classes) count = in.Varint();
  const uint8_t end = in.Byte();
  summary.end_detail = in.Signed();
  summary.detail_text = std::string(in.String());
  summary.sites.resize(in.Count(kSiteFields));
  bool sane = end <= static_cast<uint8_t>(EndReason::kVanished);
  summary.end = sane ? static_cast<EndReason>(end) : EndReason::kUnknown;
  for (SiteTotals& site : summary.sites) {
    const uint64_t stack = in.Varint();
    sane = sane && stack < kMaxStackIds;
    site.stack = static_cast<uint32_t>(stack);
    ForEachField(site, get);
  }
  summary.sizes.resize(in.Count(kSizeFields));
  sane = sane && summary.sizes.size() == kSizeBuckets;
  for (SizeClass& size : summary.sizes) ForEachField(size, get);
  absl::StatusOr<std::vector<Sample>> timeline = DecodeSamples(in.String());
  if (in.ok() && in.remaining() != 0) {
    summary.sampling.interval = in.Varint();
    summary.sampling.totals = DecodeEstimates(&in);
    sane = sane && summary.sampling.interval != 0 &&
           summary.sites.size() <= in.remaining() / kEstimateBytes;
    if (sane) {
      summary.sampling.sites.reserve(summary.sites.size());
      for (size_t i = 0; i < summary.sites.size(); ++i) {
        summary.sampling.sites.push_back(DecodeEstimates(&in));
      }
    }
  }
  if (!sane || !in.ok() || in.remaining() != 0 || !timeline.ok()) {
    return absl::DataLossError("malformed summary chunk");
  }
  summary.timeline = *std::move(timeline);
  return summary;
}

}  // namespace mallogram
