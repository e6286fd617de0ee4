// The scan proper: blocks, memory and roots in, classes and groups out. Knows
// nothing of processes: scan_process.h does.
//
// Classes are Memcheck's. A pointer is a word at an address that is a multiple of
// 8; small or misaligned blocks have only the whole words that lie in them.
//
// Memory while it runs: 4.25 bytes a slot, 20 a block of more than 4 KiB, a few
// MiB; and 20 a lost block.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "preload/collector/leaks/block_index.h"
#include "preload/collector/leaks/idioms.h"
#include "preload/collector/leaks/lost.h"
#include "preload/collector/leaks/marker.h"
#include "preload/collector/leaks/memory.h"
#include "preload/collector/leaks/windows.h"
#include "preload/trace/leaks.h"

namespace mallogram::leaks {

struct ScanInput {
  const LiveMap* live = nullptr;
  const HeapModel* model = nullptr;
  Memory* memory = nullptr;
  const ProgramFacts* facts = nullptr;
  // In the order in which they are to be named: a block is said to be held by the
  // first that leads to it. They don't overlap blocks.
  std::vector<RootRange> ranges;
  std::vector<RootWord> words;
  std::vector<uint32_t> ignored;                         // slots
  std::vector<std::pair<uint64_t, uint64_t>> inherited;  // start, size
  size_t queue = size_t{1} << 20;  // blocks that may wait to be scanned
  // After so many reads of single blocks at random it is looked for a faster way.
  uint64_t lone_reads = 1 << 18;
};

class LeakScan {
 public:
  explicit LeakScan(const ScanInput* input);

  void Run();

  // After Run, of blocks alive.
  LeakClass ClassOf(uint32_t slot) const;
  // Of a lost block: itself if it is definitely lost; kNoNode: an inherited block.
  uint32_t HeadOf(uint32_t slot) { return lost_.HeadOf(slot); }
  // Groups by class and stack, the largest first; sums. Not: times of the check.
  void Fill(LeakCheck* check);

  const Marker& marker() const { return marker_; }
  // Memory of the scan, without the collector's own tables.
  uint64_t bytes() const {
    return index_.bytes() + marker_.bytes() + lost_.bytes();
  }

 private:
  const ScanInput* const input_;
  BlockIndex index_;
  Windows windows_;
  Idioms idioms_;
  Marker marker_;
  LostBlocks lost_;
};

}  // namespace mallogram::leaks
