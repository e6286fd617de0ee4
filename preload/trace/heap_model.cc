#include "preload/trace/heap_model.h"

#include <algorithm>

namespace mallogram {

HeapModel::HeapModel() : sizes_(kSizeBuckets) {}

uint32_t HeapModel::SiteIndex(uint32_t stack) {
  uint32_t& index = site_of_stack_[stack];
  if (index == 0) [[unlikely]] {
    Site& site = sites_.PushBack();
    site.stack = stack;
    site.epoch = epoch_;
    index = static_cast<uint32_t>(sites_.size());
  }
  return index - 1;
}

// REQUIRES: called before every change of the site. What it holds now is what it
// held when the peak last moved, unless it has been remembered since.
void HeapModel::Remember(Site& site) {
  if (site.epoch == epoch_) return;
  site.epoch = epoch_;
  site.peak_bytes = site.live_bytes;
  site.peak_blocks = site.live_blocks;
}

void HeapModel::Allocated(uint32_t thread, uint32_t stack, uint32_t slot,
                          uint64_t size, uint64_t time_ns) {
  const uint32_t index = SiteIndex(stack);
  Block& block = blocks_[slot];
  block.size = size;
  block.live = 1;
  block.time_ns = time_ns;
  block.site = index;
  block.thread = thread;
  last_slot_[thread] = slot + 1;

  Site& site = sites_[index];
  Remember(site);
  ++site.calls;
  site.bytes_allocated += size;
  ++site.live_blocks;
  site.live_bytes += size;
  site.own_peak_bytes = std::max(site.own_peak_bytes, site.live_bytes);

  SizeClass& size_class = sizes_[SizeBucket(size)];
  ++size_class.calls;
  size_class.bytes += size;
  ++size_class.live_blocks;
  size_class.live_bytes += size;

  ++totals_.allocations;
  totals_.bytes_allocated += size;
  ++live_blocks_;
  live_bytes_ += size;
  recent_max_ = std::max(recent_max_, live_bytes_);
  if (live_bytes_ > totals_.peak_heap_bytes) {
    totals_.peak_heap_bytes = live_bytes_;
    totals_.peak_heap_blocks = live_blocks_;
    totals_.peak_time_ns = time_ns;
    ++epoch_;
  }
  totals_.duration_ns = time_ns;
}

void HeapModel::Freed(uint32_t thread, uint32_t slot, uint64_t time_ns) {
  Block& block = blocks_[slot];
  const uint64_t size = block.size;
  block.live = 0;
  Site& site = sites_[block.site];
  Remember(site);
  --site.live_blocks;
  site.live_bytes -= size;
  // A stamp of another CPU may be a little older than the allocation's.
  if (time_ns > block.time_ns) site.lifetime_ns += time_ns - block.time_ns;

  SizeClass& size_class = sizes_[SizeBucket(size)];
  --size_class.live_blocks;
  size_class.live_bytes -= size;
  // The slot may have had another owner since `thread` allocated it, but then
  // block.thread is another, or the last allocation is another slot.
  if (block.thread == thread && last_slot_.Get(thread) == slot + 1) {
    ++site.temporary;
    ++size_class.temporary;
    ++totals_.temporary;
  }

  ++totals_.frees;
  --live_blocks_;
  live_bytes_ -= size;
  totals_.duration_ns = time_ns;
}

uint32_t HeapModel::Allocate(uint32_t thread, uint32_t stack, uint64_t size,
                             uint64_t time_ns) {
  uint32_t slot;
  if (free_count_ != 0) {
    slot = free_slots_[--free_count_];
  } else {
    slot = static_cast<uint32_t>(blocks_.size());
    blocks_.PushBack();
  }
  Allocated(thread, stack, slot, size, time_ns);
  return slot;
}

void HeapModel::Free(uint32_t thread, uint32_t slot, uint64_t time_ns) {
  Freed(thread, slot, time_ns);
  if (free_count_ == free_slots_.size()) free_slots_.PushBack();
  free_slots_[free_count_++] = slot;
}

uint32_t HeapModel::Move(uint32_t thread, uint32_t slot, uint32_t stack,
                         uint64_t size, uint64_t time_ns) {
  // Releasing `slot` and taking the last released one is a no-op.
  Freed(thread, slot, time_ns);
  Allocated(thread, stack, slot, size, time_ns);
  ++totals_.reallocations;
  ++sites_[blocks_[slot].site].reallocations;
  return slot;
}

void HeapModel::FreeUnknown(uint64_t time_ns) {
  ++totals_.unknown_frees;
  totals_.duration_ns = time_ns;
}

void HeapModel::Lose(uint32_t stack, uint64_t count, uint64_t bytes,
                     uint64_t time_ns) {
  LostAt& lost = lost_[stack];
  lost.count += count;
  lost.bytes += bytes;
  loss_.events_lost += count;
  loss_.bytes_lost += bytes;
  totals_.duration_ns = time_ns;
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
  summary.totals = totals_;
  summary.totals.live_blocks = live_blocks_;
  summary.totals.live_bytes = live_bytes_;
  summary.loss = loss_;
  summary.sizes = sizes_;
  summary.sites.reserve(sites_.size() + lost_.size());
  for (uint64_t i = 0; i < sites_.size(); ++i) {
    summary.sites.push_back(TotalsOf(sites_[i]));
  }
  // Sites of which nothing but losses is known.
  for (const auto& [stack, lost] : lost_) {
    if (site_of_stack_.Get(stack) != 0) continue;
    SiteTotals totals;
    totals.stack = stack;
    totals.lost = lost.count;
    totals.lost_bytes = lost.bytes;
    summary.sites.push_back(totals);
  }
  summary.self.sites = summary.sites.size();
  return summary;
}

}  // namespace mallogram
