// Which blocks are reached, and from where: the marking part of a scan.
//
// Levels, each complete before the next: from the roots by pointers to starts (and
// what counts as one); then from the blocks that the program told to ignore; then,
// by any pointer, from the blocks that interior pointers met. What stays unmarked
// is lost.
//
// Memory: 2 bits and 4 bytes (who pointed to it) a slot, and a queue of bounded
// size: when it is full, blocks are only noted, and found again by a look through
// all.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/collector/leaks/block_index.h"
#include "preload/collector/leaks/idioms.h"
#include "preload/collector/leaks/memory.h"
#include "preload/collector/leaks/windows.h"
#include "preload/trace/mapped_array.h"

namespace mallogram::leaks {

enum class Mark : uint8_t {
  kNone = 0,
  kPossible = 1,
  kReachable = 2,
  kIgnored = 3
};

class Marker {
 public:
  // Blocks whose root is outside all blocks have this parent.
  static constexpr uint32_t kRoot = UINT32_MAX;

  // `queue`: how many blocks may wait. `lone_reads`: so many blocks that were read
  // one at a time make it look through all.
  Marker(const BlockIndex* index, Memory* memory, Windows* windows,
         const Idioms* idioms, size_t queue, uint64_t lone_reads);

  void MarkFromRoots(const std::vector<RootRange>& ranges,
                     const std::vector<RootWord>& words);
  void MarkIgnored(const std::vector<uint32_t>& slots);
  // From the blocks that are marked possible.
  void MarkPossible();

  Mark MarkOf(uint32_t node) const {
    return static_cast<Mark>(marks_[node / kMarksAWord] >> ShiftOf(node) & 3);
  }
  // Who pointed to it; REQUIRES: reachable or possible.
  uint32_t ParentOf(uint32_t node) const { return parents_[node] - 1; }
  // For lost blocks, of which there is no parent: anything the caller likes.
  void SetNumber(uint32_t node, uint32_t number) { parents_[node] = number; }
  uint32_t NumberOf(uint32_t node) const { return parents_[node]; }

  // Bytes looked at, and of these the roots'; those of blocks that could not be
  // read.
  uint64_t scanned_bytes() const { return scanned_bytes_; }
  uint64_t root_bytes() const { return root_bytes_; }
  uint64_t unread_bytes() const { return unread_bytes_; }
  uint64_t overflows() const { return overflows_; }
  uint64_t bytes() const;  // memory of the marker itself

 private:
  static constexpr uint32_t kMarksAWord = 32;
  static int ShiftOf(uint32_t node) { return 2 * (node % kMarksAWord); }
  // Large blocks are read in pieces, so that what is found is followed in between.
  static constexpr uint64_t kPieceBytes = Windows::kMost;
  // Blocks taken from the queue at once, in the order of their addresses.
  static constexpr size_t kBatch = 4096;
  // So few are not worth a scattered read.
  static constexpr size_t kFew = 8;
  static constexpr size_t kCandidates = 1024;

  struct Work {
    uint64_t start;
    uint32_t node;
    uint32_t piece;
  };
  struct Candidate {
    uint64_t pointer;
    uint32_t from;
    uint32_t node;
  };

  void SetMark(uint32_t node, Mark mark) {
    uint64_t& word = marks_[node / kMarksAWord];
    word = (word & ~(uint64_t{3} << ShiftOf(node))) | static_cast<uint64_t>(mark)
                                                          << ShiftOf(node);
  }
  void Push(Work work);
  void Note(uint32_t node);
  void Drain();
  void ScanBatch(size_t count);
  // f(data, bytes, work) for every block of the batch.
  template <typename F>
  void ReadScattered(F&& f);
  void FindLinks();
  void ResolveLinks();
  bool Skips(Mark mark) const;
  void Follow(uint32_t node, uint32_t from);
  void ScanWords(const char* data, size_t bytes, uint32_t from);
  void ScanRange(uint64_t start, uint64_t end);
  void Resolve();
  void Reach(Block block, bool at_start, uint64_t pointer, uint32_t from);
  size_t queued() const { return tail_ - head_; }

  const BlockIndex* const index_;
  Memory* const memory_;
  Windows* const windows_;
  const Idioms* const idioms_;
  const size_t capacity_;

  Mark level_ = Mark::kReachable;
  MappedArray<uint64_t> marks_;
  MappedArray<uint32_t> parents_;  // + 1
  std::vector<bool> noted_;        // by node, once the queue has overflowed
  bool allocator_ = false;         // the roots that are scanned are its
  bool any_noted_ = false, any_possible_ = false;
  // A ring: taken from its front, in the order in which blocks were found, so that
  // ways are short; from its back while it is more than half full, so that it grows
  // no further than it must.
  std::vector<Work> queue_;
  size_t head_ = 0, tail_ = 0;

  // What an unmarked block's place in parents_ says while has_links_: 0: nothing,
  // it has to be read (long_, from where); kLeaf: it has no pointers; else the
  // node, plus 1, that its only one points to.
  static constexpr uint32_t kLeaf = UINT32_MAX;
  const uint64_t lone_reads_;
  bool has_links_ = false, looked_for_links_ = false;
  absl::flat_hash_map<uint32_t, uint64_t> long_;

  std::vector<Work> batch_;
  std::vector<Candidate> candidates_;
  std::vector<uint64_t> link_starts_;  // of candidates_, for FindLinks
  std::vector<char> buffer_;
  struct Run {  // of a scattered read: some of the batch
    size_t first, last;
  };
  std::vector<Piece> pieces_;
  std::vector<Run> runs_;
  uint64_t scanned_bytes_ = 0, root_bytes_ = 0, unread_bytes_ = 0, overflows_ = 0;
};

}  // namespace mallogram::leaks
