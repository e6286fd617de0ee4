#include "preload/collector/leaks/block_index.h"

#include <algorithm>

namespace mallogram::leaks {

BlockIndex::BlockIndex(const LiveMap* live, const HeapModel* model,
                       std::vector<std::pair<uint64_t, uint64_t>> inherited)
    : live_(live),
      model_(model),
      slots_(static_cast<uint32_t>(model->slot_count())),
      inherited_(std::move(inherited)),
      regions_((kRegionMask + 1) / 64) {
  std::sort(inherited_.begin(), inherited_.end());
  inherited_.erase(
      std::unique(inherited_.begin(), inherited_.end(),
                  [](const auto& a, const auto& b) { return a.first == b.first; }),
      inherited_.end());
  // Sizes are a random access each, so blocks are asked only where it matters: the
  // model goes through them in order.
  std::vector<bool> is_large;
  model->ForEachLive(
      [&](uint32_t slot, uint32_t, uint64_t size, uint64_t, uint32_t) {
        if (size <= kLarge) return;
        if (is_large.empty()) is_large.resize(slots_);
        is_large[slot] = true;
      });
  uint64_t high = 0, covered = 0;
  live->ForEach([&](uint64_t start, uint32_t slot) {
    if (slot >= slots_) return;
    uint64_t size = kLarge;
    if (!is_large.empty() && is_large[slot]) {
      size = model->SizeAt(slot);
      large_.push_back({start, slot});
    }
    low_ = std::min(low_, start);
    high = std::max(high, start + std::min(size, UINT64_MAX - start));
    const uint64_t region = start >> kRegionBits;
    if (size == kLarge && region == covered &&
        (start + size) >> kRegionBits == region) {
      return;
    }
    Cover(start, size);
    covered = region;
  });
  for (const auto& [start, size] : inherited_) {
    Cover(start, size);
    low_ = std::min(low_, start);
    high = std::max(high, start + std::min(size, UINT64_MAX - start));
  }
  std::sort(large_.begin(), large_.end());
  span_ = high < low_ ? 0 : high - low_;
}

void BlockIndex::Cover(uint64_t start, uint64_t size) {
  const uint64_t first = start >> kRegionBits;
  const uint64_t regions =
      std::min(((start & ((uint64_t{1} << kRegionBits) - 1)) + size) >> kRegionBits,
               kRegionMask);
  for (uint64_t i = 0; i <= regions; ++i) {
    const uint64_t bit = (first + i) & kRegionMask;
    regions_[bit >> 6] |= uint64_t{1} << (bit & 63);
  }
}

Block BlockIndex::InheritedAt(uint64_t address) const {
  const auto found = std::lower_bound(inherited_.begin(), inherited_.end(),
                                      std::pair<uint64_t, uint64_t>{address, 0});
  if (found == inherited_.end() || found->first != address) return {};
  return {address, slots_ + static_cast<uint32_t>(found - inherited_.begin())};
}

Block BlockIndex::Holding(uint64_t address) const {
  LiveMap::Start last = live_->LastBefore(address);
  if (last.slot == LiveMap::kNone && address >= kLarge) {
    // The end of the page before, whose last block may reach into this one.
    last = live_->LastBefore((address & ~(kLarge - 1)) - 1);
  }
  if (last.slot < slots_) {
    const Block block = Check(address, last.address, last.slot);
    if (block.node != kNoNode) return block;
  }
  if (!large_.empty()) {
    auto after =
        std::upper_bound(large_.begin(), large_.end(),
                         std::pair<uint64_t, uint32_t>{address, UINT32_MAX});
    if (after != large_.begin()) {
      --after;
      const Block block = Check(address, after->first, after->second);
      if (block.node != kNoNode) return block;
    }
  }
  if (!inherited_.empty()) {
    auto after =
        std::upper_bound(inherited_.begin(), inherited_.end(),
                         std::pair<uint64_t, uint64_t>{address, UINT64_MAX});
    if (after != inherited_.begin()) {
      --after;
      return Check(address, after->first,
                   slots_ + static_cast<uint32_t>(after - inherited_.begin()));
    }
  }
  return {};
}

uint64_t BlockIndex::bytes() const {
  return large_.capacity() * sizeof(large_[0]) +
         inherited_.capacity() * sizeof(inherited_[0]) + regions_.size() * 8;
}

}  // namespace mallogram::leaks
