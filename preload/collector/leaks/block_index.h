// Which block a pointer points to: over the collector's own tables, without a copy.
//
// Blocks are nodes: those of the recorded process by their slots, below
// slot_count(); those that it inherited from the process that forked it after them.
//
// A pointer one past the end of a block doesn't point to it. A block of size 0 is
// met by pointers to its start.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "preload/collector/live_map.h"
#include "preload/trace/heap_model.h"

namespace mallogram::leaks {

inline constexpr uint32_t kNoNode = UINT32_MAX;

struct Block {
  uint64_t start = 0;
  uint32_t node = kNoNode;
};

class BlockIndex {
 public:
  // Both outlive the index and don't change meanwhile. `inherited`: (start, size).
  BlockIndex(const LiveMap* live, const HeapModel* model,
             std::vector<std::pair<uint64_t, uint64_t>> inherited);

  uint32_t slot_count() const { return slots_; }
  uint32_t node_count() const {
    return slots_ + static_cast<uint32_t>(inherited_.size());
  }
  bool IsInherited(uint32_t node) const { return node >= slots_; }
  uint64_t SizeOf(uint32_t node) const {
    return node < slots_ ? model_->SizeAt(node) : inherited_[node - slots_].second;
  }
  uint32_t StackOf(uint32_t node) const {
    return node < slots_ ? model_->StackAt(node) : 0;
  }
  const HeapModel& model() const { return *model_; }

  // False for most words that are no pointers to blocks, and for no other.
  bool MayPoint(uint64_t word) const {
    return word - low_ <= span_ &&
           (regions_[(word >> kRegionBits & kRegionMask) >> 6] >>
                (word >> kRegionBits & 63) &
            1) != 0;
  }

  // The block that starts at `address`, or no node.
  Block StartingAt(uint64_t address) const {
    const uint32_t slot = live_->Find(address);
    if (slot != LiveMap::kNone && slot < slots_) [[likely]]
      return {address, slot};
    return inherited_.empty() ? Block{} : InheritedAt(address);
  }
  // The block that holds `address`, its start included; or no node.
  Block Holding(uint64_t address) const;

  [[gnu::always_inline]] void PrefetchPage(uint64_t address) const {
    live_->PrefetchPage(address);
  }
  [[gnu::always_inline]] void PrefetchBlock(uint64_t address) const {
    live_->PrefetchBlock(address);
  }
  [[gnu::always_inline]] void PrefetchSize(uint32_t node) const {
    model_->PrefetchSlot(node);
  }

  // f(Block) for every block, the inherited ones last.
  template <typename F>
  void ForEach(F&& f) const {
    live_->ForEach([&](uint64_t address, uint32_t slot) {
      if (slot < slots_) f(Block{address, slot});
    });
    for (size_t i = 0; i < inherited_.size(); ++i) {
      f(Block{inherited_[i].first, slots_ + static_cast<uint32_t>(i)});
    }
  }
  uint64_t block_count() const { return live_->size() + inherited_.size(); }
  // Memory of the index itself.
  uint64_t bytes() const;

 private:
  // A table of one bit a region of 2 MiB, by the lower bits of its number: fits the
  // first-level cache, and tells a heap from most of what is not.
  static constexpr int kRegionBits = 21;
  static constexpr uint64_t kRegionMask = 0xffff;
  // Larger blocks are found by their sorted starts, smaller ones in the page of the
  // pointer or the one before.
  static constexpr uint64_t kLarge = 4096;

  void Cover(uint64_t start, uint64_t size);
  Block InheritedAt(uint64_t address) const;
  Block Check(uint64_t address, uint64_t start, uint32_t node) const {
    return address - start < SizeOf(node) || address == start ? Block{start, node}
                                                              : Block{};
  }

  const LiveMap* const live_;
  const HeapModel* const model_;
  const uint32_t slots_;
  std::vector<std::pair<uint64_t, uint64_t>> inherited_;  // by start
  std::vector<std::pair<uint64_t, uint32_t>> large_;      // start, slot; by start
  std::vector<uint64_t> regions_;
  uint64_t low_ = UINT64_MAX, span_ = 0;
};

}  // namespace mallogram::leaks
