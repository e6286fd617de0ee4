// What is lost: the blocks that nothing reached, as a graph of their own.
//
// A block is definitely lost if no other lost block leads to it, or only blocks
// that it leads to itself; of such a cycle that nothing else leads to the block of
// the lowest address is the head. Everything else is lost indirectly and charged to
// one head that leads to it: Memcheck's choice, that is, to the lowest, unless a
// head that was charged with it turns out to be led to by another, which then takes
// over. Any pointer counts, to the start or not.
//
// (Memcheck keeps two heads where ours is one if the higher one leads into the
// middle of the lower one's cycle: it doesn't follow what it has seen. Which blocks
// are heads must not depend on where the allocator put them.)
//
// Memory: 16 bytes a lost block.
#pragma once

#include <cstdint>
#include <vector>

#include "preload/collector/leaks/block_index.h"
#include "preload/collector/leaks/marker.h"
#include "preload/collector/leaks/memory.h"

namespace mallogram::leaks {

class LostBlocks {
 public:
  // Numbers lost blocks in `marker`.
  LostBlocks(const BlockIndex* index, Memory* memory, Windows* windows,
             Marker* marker);
  void Find();

  size_t count() const { return blocks_.size(); }
  bool IsHead(uint32_t node) const {
    const uint32_t number = marker_->NumberOf(node);
    return !IsKnown(node) || cliques_[number] == number;
  }
  // The head that a lost block is charged to, itself if it is one; kNoNode if that
  // is an inherited block, which nobody reports.
  uint32_t HeadOf(uint32_t node);
  uint64_t scanned_bytes() const { return scanned_bytes_; }
  uint64_t bytes() const;

 private:
  // The collector's tables should agree about what is alive. Where they don't, a
  // block without an address is lost by itself.
  bool IsKnown(uint32_t node) const {
    const uint32_t number = marker_->NumberOf(node);
    return number < blocks_.size() && blocks_[number].node == node;
  }
  static constexpr uint32_t kNobody = UINT32_MAX;

  // f(number) for every lost block that block `number` points to.
  template <typename F>
  void ForEachTarget(uint32_t number, F&& f);
  uint32_t Leader(uint32_t number);
  void MakeCliques();
  void JoinCycles();

  const BlockIndex* const index_;
  Memory* const memory_;
  Windows* const windows_;
  Marker* const marker_;
  std::vector<Block> blocks_;      // by address
  std::vector<uint32_t> cliques_;  // a block on the way to the head, or itself
  std::vector<uint32_t> stack_;
  std::vector<char> buffer_;
  bool shared_ = false;  // some head leads into the middle of another's blocks
  uint64_t scanned_bytes_ = 0;
};

}  // namespace mallogram::leaks
