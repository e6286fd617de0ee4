#include "preload/trace/sampled_model.h"

#include <algorithm>

namespace mallogram {
namespace {

// Damaged input may make sums of any size.
uint64_t Whole(double value) {
  constexpr double kMost = 9e18;
  return value > 0 ? static_cast<uint64_t>(std::min(value, kMost) + 0.5) : 0;
}

void Restate(const SiteEstimate& from, uint64_t* calls, uint64_t* bytes,
             uint64_t* frees, uint64_t* live_blocks, uint64_t* live_bytes,
             uint64_t* peak_blocks, uint64_t* peak_bytes) {
  *calls = Whole(from.allocated.blocks);
  *bytes = Whole(from.allocated.bytes);
  *live_blocks = std::min(Whole(from.live.blocks), *calls);
  *live_bytes = Whole(from.live.bytes);
  *frees = *calls - *live_blocks;
  *peak_blocks = Whole(from.peak.blocks);
  *peak_bytes = Whole(from.peak.bytes);
}

}  // namespace

uint64_t SampledModel::live_bytes() const { return Whole(totals_.live.bytes); }
uint64_t SampledModel::peak_bytes() const { return Whole(totals_.peak.bytes); }

// REQUIRES: called before every change of the site; see HeapModel::Remember.
void SampledModel::Remember(Site& site) const {
  if (site.epoch == epoch_) return;
  site.epoch = epoch_;
  site.sums.peak = site.sums.live;
}

void SampledModel::Note(uint64_t time_ns) {
  const double bytes = totals_.live.bytes;
  if (!steps_.empty() && steps_.back().time_ns >= time_ns) {
    steps_.back().bytes = bytes;
    steps_.back().most = std::max(steps_.back().most, bytes);
    return;
  }
  if (steps_.size() == kMaxSteps) {
    for (size_t i = 0; i < kMaxSteps / 2; ++i) {
      const Step& first = steps_[2 * i];
      const Step& second = steps_[2 * i + 1];
      steps_[i] = {second.time_ns, second.bytes, std::max(first.most, second.most)};
    }
    steps_.resize(kMaxSteps / 2);
  }
  steps_.push_back({time_ns, bytes, bytes});
}

void SampledModel::Allocate(uint32_t stack, uint64_t size, uint64_t time_ns) {
  const auto [entry, is_new] =
      site_of_stack_.try_emplace(stack, static_cast<uint32_t>(sites_.size()));
  if (is_new) {
    sites_.emplace_back();
    sites_.back().epoch = epoch_;
  }
  uint32_t slot;
  if (names_.Take(&slot)) blocks_.emplace_back();
  blocks_[slot] = {size, entry->second + 1, time_ns};

  Site& site = sites_[entry->second];
  Remember(site);
  for (SiteEstimate* sums : {&site.sums, &totals_}) {
    sums->smallest =
        sums->allocated.samples == 0 ? size : std::min(sums->smallest, size);
    sums->allocated.Add(size, interval_);
    sums->live.Add(size, interval_);
  }
  site.own_peak_bytes = std::max(site.own_peak_bytes, site.sums.live.bytes);
  Size& bucket = sizes_[static_cast<size_t>(SizeBucket(size))];
  bucket.allocated.Add(size, interval_);
  bucket.live.Add(size, interval_);
  if (totals_.live.bytes > totals_.peak.bytes) {
    totals_.peak = totals_.live;
    peak_time_ns_ = time_ns;
    ++epoch_;
  }
}

void SampledModel::Free(uint32_t slot, uint64_t time_ns) {
  if (slot >= blocks_.size() || blocks_[slot].site == 0) return;
  Block& block = blocks_[slot];
  Site& site = sites_[block.site - 1];
  Remember(site);
  if (time_ns > block.time_ns) {
    site.lifetime_ns += static_cast<double>(time_ns - block.time_ns) /
                        SampleProbability(block.size, interval_);
  }
  site.sums.live.Remove(block.size, interval_);
  totals_.live.Remove(block.size, interval_);
  sizes_[static_cast<size_t>(SizeBucket(block.size))].live.Remove(block.size,
                                                                  interval_);
  block.site = 0;
  names_.Give(slot);
}

void SampledModel::Apply(const Event& event) {
  switch (event.kind) {
    case EventKind::kAlloc:
      Allocate(event.stack, event.size, event.time_ns);
      break;
    case EventKind::kMove:
      // Both ends are followed, so it is a free and an allocation. The slot is
      // taken again, as HeapModel does it.
      Free(event.slot, event.time_ns);
      Allocate(event.stack, event.size, event.time_ns);
      break;
    case EventKind::kFree:
      Free(event.slot, event.time_ns);
      break;
    case EventKind::kFreeUnknown:
    case EventKind::kLost:
      return;
  }
  Note(event.time_ns);
}

void SampledModel::Fold(std::string_view payload) {
  EventDecoder decoder;
  if (!decoder.Init(payload).ok()) return;
  Event event;
  while (decoder.Next(&event)) Apply(event);
}

void SampledModel::Restate(Summary* summary) const {
  Sampling& sampling = summary->sampling;
  sampling.interval = interval_;
  sampling.totals = totals_;
  sampling.sites.assign(summary->sites.size(), SiteEstimate());
  for (size_t i = 0; i < summary->sites.size(); ++i) {
    SiteTotals& totals = summary->sites[i];
    const auto found = site_of_stack_.find(totals.stack);
    if (found == site_of_stack_.end()) continue;  // losses alone
    const Site& site = sites_[found->second];
    SiteEstimate& sums = sampling.sites[i];
    sums = site.sums;
    if (site.epoch != epoch_) sums.peak = sums.live;
    mallogram::Restate(sums, &totals.calls, &totals.bytes_allocated, &totals.frees,
                       &totals.live_blocks, &totals.live_bytes, &totals.peak_blocks,
                       &totals.peak_bytes);
    totals.own_peak_bytes = Whole(site.own_peak_bytes);
    totals.lifetime_ns = Whole(site.lifetime_ns);
    totals.reallocations = totals.temporary = 0;
  }
  summary->sizes.assign(kSizeBuckets, SizeClass());
  for (size_t i = 0; i < sizes_.size(); ++i) {
    SizeClass& size = summary->sizes[i];
    size.calls = Whole(sizes_[i].allocated.blocks);
    size.bytes = Whole(sizes_[i].allocated.bytes);
    size.live_blocks = Whole(sizes_[i].live.blocks);
    size.live_bytes = Whole(sizes_[i].live.bytes);
  }
  Totals& totals = summary->totals;
  mallogram::Restate(totals_, &totals.allocations, &totals.bytes_allocated,
                     &totals.frees, &totals.live_blocks, &totals.live_bytes,
                     &totals.peak_heap_blocks, &totals.peak_heap_bytes);
  totals.peak_time_ns = peak_time_ns_;
  totals.reallocations = totals.temporary = 0;
}

void SampledModel::Restate(std::vector<Sample>* timeline) const {
  size_t next = 0;
  double bytes = 0;
  for (Sample& sample : *timeline) {
    double most = bytes;
    for (; next < steps_.size() && steps_[next].time_ns <= sample.time_ns; ++next) {
      bytes = steps_[next].bytes;
      most = std::max(most, steps_[next].most);
    }
    sample.heap_bytes = Whole(bytes);
    sample.heap_max_bytes = Whole(most);
  }
}

}  // namespace mallogram
