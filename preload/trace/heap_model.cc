#include "preload/trace/heap_model.h"

#include <algorithm>

namespace mallogram {

uint32_t HeapModel::NewSite(uint32_t stack) {
  Site& site = sites_.PushBack();
  site.stack = stack;
  site.epoch = epoch_;
  const auto index = static_cast<uint32_t>(sites_.size() - 1);
  site_of_stack_[stack] = index + 1;
  return index;
}

void HeapModel::SetBigSize(uint32_t slot, uint64_t size) {
  big_sizes_[slot] = size;
}
uint64_t HeapModel::BigSize(uint32_t slot) const { return big_sizes_.at(slot); }
void HeapModel::ForgetBigSize(uint32_t slot) { big_sizes_.erase(slot); }

void HeapModel::CoarsenTimes(uint64_t time_ns) {
  int more = 0;
  while (time_ns >> (time_shift_ + more) > kTimeMask) ++more;
  if (more == 0) return;
  time_shift_ += more;
  const bool beyond = time_shift_ + kTimeBits >= 64;
  time_limit_ns_ = beyond ? UINT64_MAX : uint64_t{1} << (kTimeBits + time_shift_);
  for (uint64_t slot = 0; slot < blocks_.size(); ++slot) {
    uint64_t& when = blocks_[slot].when;
    when = (when & kTimeMask) >> more | (when & ~kTimeMask);
  }
}

uint32_t HeapModel::Move(uint32_t thread, uint32_t slot, uint32_t stack,
                         uint64_t size, uint64_t time_ns) {
  // Releasing `slot` and taking the last released one is a no-op.
  Freed(thread, slot, time_ns);
  const uint32_t site = SiteOf(stack);
  Allocated(thread, site, slot, size, time_ns);
  ++reallocations_;
  ++sites_[site].reallocations;
  return slot;
}

void HeapModel::FreeUnknown(uint64_t time_ns) {
  ++unknown_frees_;
  last_time_ns_ = time_ns;
}

void HeapModel::Lose(uint32_t stack, uint64_t count, uint64_t bytes,
                     uint64_t time_ns) {
  LostAt& lost = lost_[stack];
  lost.count += count;
  lost.bytes += bytes;
  loss_.events_lost += count;
  loss_.bytes_lost += bytes;
  last_time_ns_ = time_ns;
}

bool HeapModel::Apply(const Event& event) {
  if (event.thread >= kMaxThreads || event.stack >= kMaxStackIds) return false;
  switch (event.kind) {
    case EventKind::kAlloc:
      if (event.size > kMaxSize || blocks_.size() == UINT32_MAX) return false;
      Allocate(event.thread, event.stack, event.size, event.time_ns);
      return true;
    case EventKind::kFree:
      if (!IsLive(event.slot)) return false;
      Free(event.thread, event.slot, event.time_ns);
      return true;
    case EventKind::kMove:
      if (!IsLive(event.slot) || event.size > kMaxSize) return false;
      Move(event.thread, event.slot, event.stack, event.size, event.time_ns);
      return true;
    case EventKind::kFreeUnknown:
      FreeUnknown(event.time_ns);
      return true;
    case EventKind::kLost:
      Lose(event.stack, event.count, event.size, event.time_ns);
      return true;
  }
  return false;
}

uint64_t HeapModel::TakeRecentMax() {
  const uint64_t result = recent_max_;
  recent_max_ = live_bytes_;
  return result;
}

SiteTotals HeapModel::TotalsOf(const Site& site) const {
  SiteTotals totals;
  totals.stack = site.stack;
  totals.calls = site.calls;
  totals.reallocations = site.reallocations;
  totals.bytes_allocated = site.bytes_allocated;
  totals.frees = site.calls - site.live_blocks;
  totals.live_blocks = site.live_blocks;
  totals.live_bytes = site.live_bytes;
  const bool remembered = site.epoch == epoch_;
  totals.peak_blocks = remembered ? site.peak_blocks : site.live_blocks;
  totals.peak_bytes = remembered ? site.peak_bytes : site.live_bytes;
  totals.own_peak_bytes = site.own_peak_bytes;
  totals.temporary = site.temporary;
  totals.lifetime_ns = site.lifetime_ns;
  const auto lost = lost_.find(site.stack);
  if (lost != lost_.end()) {
    totals.lost = lost->second.count;
    totals.lost_bytes = lost->second.bytes;
  }
  return totals;
}

Summary HeapModel::Summarize() const {
  Summary summary;
  summary.loss = loss_;
  summary.sizes.assign(sizes_.begin(), sizes_.end());
  for (uint64_t slot = 0; slot < blocks_.size(); ++slot) {
    const uint64_t what = blocks_[slot].what;
    if (what == 0) continue;
    const uint64_t size = SizeOf(static_cast<uint32_t>(slot), what);
    SizeClass& size_class = summary.sizes[SizeBucket(size)];
    ++size_class.live_blocks;
    size_class.live_bytes += size;
  }
  Totals& totals = summary.totals;
  for (const SizeClass& size_class : sizes_) {
    totals.allocations += size_class.calls;
    totals.bytes_allocated += size_class.bytes;
    totals.temporary += size_class.temporary;
  }
  totals.live_blocks = live_blocks();
  totals.live_bytes = live_bytes_;
  totals.frees = totals.allocations - totals.live_blocks;
  totals.reallocations = reallocations_;
  totals.unknown_frees = unknown_frees_;
  totals.peak_heap_bytes = peak_bytes_;
  totals.peak_heap_blocks = peak_blocks_;
  totals.peak_time_ns = peak_time_ns_;
  totals.duration_ns = last_time_ns_;
  summary.sites.reserve(sites_.size() + lost_.size());
  for (uint64_t i = 0; i < sites_.size(); ++i) {
    summary.sites.push_back(TotalsOf(sites_[i]));
  }
  // Sites that have nothing but losses.
  for (const auto& [stack, lost] : lost_) {
    if (site_of_stack_.Get(stack) != 0) continue;
    SiteTotals site;
    site.stack = stack;
    site.lost = lost.count;
    site.lost_bytes = lost.bytes;
    summary.sites.push_back(site);
  }
  summary.self.sites = summary.sites.size();
  return summary;
}

}  // namespace mallogram
