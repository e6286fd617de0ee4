// Interned call stacks: (parent, pc, module) → node id, shared by all threads.
//
// Nodes live in the image (append-only, see StackNode); the hash table that finds
// them is private to the program. Lock-free: a slot goes from 0 to an id by one
// compare-and-swap and never changes again; a thread that loses the race drops its
// node (a hole). Nothing is ever removed: code that is unloaded takes its module
// index with it, and the next module at its address has another. It grows by
// levels: a fuller table is succeeded by one four times as large, lookups try the
// newest first and move what they find in an older one, so no insertion ever waits
// for a rehash.
//
// Async-signal-safe. Zero-initialised storage is an unusable table: Init first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/image.h"

namespace mallogram {

class StackTable {
 public:
  // Empties the table if it was in use (a forked child's, still its parent's).
  // REQUIRES: no other thread uses it. False: no memory.
  bool Init(ImageHeader* header, StackNode* nodes);

  // The node of (parent, pc, module), made if need be. kRootUnknown: the node
  // array is full. `parent` is a root or a node. Cost of a hit: one hash, one
  // probe (a cache line), one node compare (another).
  uint32_t Intern(uint32_t parent, uint64_t pc, uint32_t module);

  const StackNode& node(uint32_t id) const { return nodes_[id]; }
  ImageHeader* header() const { return header_; }

 private:
  static constexpr int kLevels = 8;
  static constexpr uint32_t kFirstLevelBits = 12;
  struct Level {
    std::atomic<std::atomic<uint32_t>*> slots{nullptr};
    std::atomic<uint32_t> used{0};
  };

  static constexpr size_t LevelBytes(int level) {
    return sizeof(uint32_t) << (kFirstLevelBits + 2 * level);
  }
  uint32_t InternSlow(uint32_t parent, uint64_t pc, uint32_t module, uint64_t hash,
                      int top);
  uint32_t Place(int level, uint64_t hash, uint32_t id);
  uint32_t Probe(int level, uint64_t hash, uint32_t parent, uint64_t pc,
                 uint32_t module) const;
  bool Grow(int level);

  ImageHeader* header_ = nullptr;
  StackNode* nodes_ = nullptr;
  std::atomic<int> top_{-1};  // newest level
  Level levels_[kLevels];
};

}  // namespace mallogram
