// How a block is held: the chain of blocks from a root to it, read backwards from
// who pointed to whom when it was marked, and where in each the next one's address
// stands.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/collector/leaks/block_index.h"
#include "preload/collector/leaks/idioms.h"
#include "preload/collector/leaks/marker.h"
#include "preload/collector/leaks/memory.h"

namespace mallogram::leaks {

class Ways {
 public:
  Ways(const BlockIndex* index, Memory* memory, const Idioms* idioms,
       const Marker* marker)
      : index_(index), memory_(memory), idioms_(idioms), marker_(marker) {}

  // Sets root, way, way_cut, idiom and interior_offset of groups by way of one
  // block of each. REQUIRES: those are reachable or possible, groups[i] with
  // nodes[i].
  void Describe(const std::vector<RootRange>& ranges,
                const std::vector<RootWord>& words,
                const std::vector<LeakGroup*>& groups,
                const std::vector<uint32_t>& nodes);

 private:
  // Blocks in a row that one call stack allocated.
  struct Run {
    uint32_t stack = 0;
    uint32_t first = kNoNode, next = kNoNode;  // nearest to the root; what it holds
    uint64_t repeats = 0;
  };
  struct Chain {
    uint32_t block = kNoNode;   // whose way it is
    uint32_t top = kNoNode;     // the first of the way, or the block itself
    uint32_t holder = kNoNode;  // the inherited block that holds `top`; else a root
    std::vector<Run> runs;      // from the root
    uint64_t cut = 0;           // runs left out after the first half
  };
  // How well a pointer says that it means the block.
  struct Found {
    int rank = 3;  // 0: its start, 1: an idiom, 2: interior, 3: nothing found
    uint64_t at = 0, pointer = 0;
    PointerIdiom idiom = PointerIdiom::kInterior;
    LeakRoot root;
  };

  bool Walk(uint32_t block, Chain* chain);
  void FindAddresses(const std::vector<Chain>& chains);
  Block BlockOf(uint32_t node) const { return {addresses_.at(node), node}; }
  bool Better(uint64_t word, Block block, Found* found) const;
  Found FindIn(uint32_t holder, uint32_t node);
  void FindRoots(const std::vector<RootRange>& ranges,
                 const std::vector<RootWord>& words);

  const BlockIndex* const index_;
  Memory* const memory_;
  const Idioms* const idioms_;
  const Marker* const marker_;
  uint64_t steps_left_ = 0;
  absl::flat_hash_map<uint32_t, uint64_t> addresses_;  // of the nodes that matter
  absl::flat_hash_map<uint32_t, Found> roots_;  // of blocks that a root holds
  std::vector<char> buffer_;
};

}  // namespace mallogram::leaks
