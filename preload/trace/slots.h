// The names of blocks in events, a rule of the file format: a new block gets the
// name that was given back last, or else the next new number. Whoever follows the
// events takes and gives back in the same order, so all agree on every name and no
// file stores one.
//
// Use: the blocks lie in an array by slot, which grows by one when Take says so.
//
//   uint32_t slot;
//   if (names.Take(&slot)) blocks.PushBack();
//   blocks[slot] = …;
//
// Memory: 4 bytes a name that was given back, at the most there ever were.
#pragma once

#include <cstdint>

#include "preload/trace/mapped_array.h"

namespace mallogram {

class SlotNames {
 public:
  // A name for a new block. True: one that no block has had yet, the number of
  // names before. REQUIRES: !full().
  [[gnu::always_inline]] bool Take(uint32_t* slot) {
    if (free_count_ != 0) {
      *slot = free_[--free_count_];
      return false;
    }
    *slot = static_cast<uint32_t>(count_++);
    return true;
  }

  // The block of that name is gone. REQUIRES: IsKnown(slot), and a block has it:
  // the caller, who keeps the blocks, knows. A damaged file may name any other.
  [[gnu::always_inline]] void Give(uint32_t slot) {
    if (free_count_ == free_.size()) [[unlikely]]
      free_.PushBack();
    free_[free_count_++] = slot;
  }

  // Whether a block has, or has had, that name: the bound of the caller's array.
  bool IsKnown(uint32_t slot) const { return slot < count_; }
  // The one after next to be taken, and so on: `ahead` 0 is the next. False: that
  // one is new.
  [[gnu::always_inline]] bool LookAhead(uint64_t ahead, uint32_t* slot) const {
    if (free_count_ <= ahead) return false;
    *slot = free_[free_count_ - 1 - ahead];
    return true;
  }

  uint64_t count() const { return count_; }  // names that were ever given out
  uint64_t taken() const { return count_ - free_count_; }
  bool full() const { return free_count_ == 0 && count_ == UINT32_MAX; }

 private:
  GrowingArray<uint32_t> free_;  // a stack, the name given back last on top
  uint64_t free_count_ = 0;      // its height
  uint64_t count_ = 0;
};

}  // namespace mallogram
