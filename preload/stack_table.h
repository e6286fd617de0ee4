// Interned call stacks: (parent, pc, module) → node id, shared by all threads.
//
// Nodes live in the image (append-only, see StackNode); the hash table that finds
// them is private to the program. Lock-free: a slot goes from 0 to an id by one
// compare-and-swap and never changes again; a thread that loses the race drops its
// node (a hole). Nothing is ever removed: code that is unloaded takes its module
// index with it, and the next module at its address has another. It grows by
// levels: a fuller table is succeeded by one sixteen times as large, lookups try
// the newest first and move what they find in an older one, so no insertion ever
// waits for a rehash. The levels are far apart (16 KiB, 256 KiB, 4 MiB …) because a
// new node is looked for in all of them: with factors of four, clang's were five.
//
// One id a stack, also while the table grows: an id counts only if the level in
// which it was found or placed is still the newest afterwards. Who looks into a
// newer level first misses there, then sees it in this one (sequentially consistent
// operations throughout: either the placing thread sees the growth or the looking
// one sees the slot), and carries it on.
//
// Async-signal-safe. Zero-initialised storage is an unusable table: Init first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/image_tables.h"

namespace mallogram {

class StackTable {
 public:
  // Empties the table if it was in use (a forked child's, still its parent's).
  // REQUIRES: no other thread uses it. False: no memory.
  bool Init(ImageTables* tables);
  // No table: nothing may be interned until the next Init. REQUIRES: as Init.
  void Clear();

  // The node of (parent, pc, module), made if need be. kRootUnknown: the node
  // array is full. `parent` is a root or a node. Cost of a hit: one hash, one
  // probe (a cache line), one node compare (another).
  // `hash`: Hash of the same, given the parent's.
  uint32_t Intern(uint32_t parent, uint64_t pc, uint32_t module, uint64_t hash) {
    const int top = top_.load(std::memory_order_seq_cst);
    const uint32_t id = Probe(top, hash, parent, pc, module);
    if (id != 0 && top_.load(std::memory_order_seq_cst) == top) [[likely]]
      return id;
    return InternSlow(parent, pc, module, hash);
  }

  // Of a whole stack, from the outermost frame inward: it depends on return
  // addresses alone, so all of a walk's are known before the first id is.
  static uint64_t RootHash(uint32_t root) { return root; }
  static uint64_t Hash(uint64_t parent, uint64_t pc, uint32_t module) {
    const uint64_t h =
        (parent ^ pc ^ uint64_t{module} << 47) * 0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32;
  }
  // Worth while: the table is larger than the caches near the CPU.
  bool IsLarge() const { return top_.load(std::memory_order_relaxed) >= 2; }
  // For all hashes of a walk, first one, then the other: the misses of what Intern
  // will look at overlap.
  [[gnu::always_inline]] void PrefetchSlot(uint64_t hash) const {
    const int top = top_.load(std::memory_order_relaxed);
    __builtin_prefetch(&SlotsOf(top)[hash & MaskOf(top)]);
  }
  [[gnu::always_inline]] void PrefetchNode(uint64_t hash) const {
    const int top = top_.load(std::memory_order_relaxed);
    const uint32_t slot =
        SlotsOf(top)[hash & MaskOf(top)].load(std::memory_order_relaxed);
    // Of an empty slot: node 0, which is always there.
    __builtin_prefetch(&tables_->nodes[slot & kIdMask]);
  }

  const StackNode& node(uint32_t id) const { return tables_->nodes[id]; }
  ImageHeader* header() const { return tables_->header; }

 private:
  static constexpr int kLevels = 5;
  static constexpr uint32_t kFirstLevelBits = 12, kLevelStepBits = 4;
  struct Level {
    std::atomic<std::atomic<uint32_t>*> slots{nullptr};
    std::atomic<uint32_t> used{0};
  };

  // A slot holds a node id and, in the bits above it, a tag from the hash: most
  // probes that meet another stack's node are refused without loading the node.
  static constexpr int kIdBits = 26;
  static constexpr uint32_t kIdMask = (1u << kIdBits) - 1;

  static constexpr uint32_t LevelBits(int level) {
    return kFirstLevelBits + kLevelStepBits * static_cast<uint32_t>(level);
  }
  static constexpr uint32_t MaskOf(int level) {
    return (1u << LevelBits(level)) - 1;
  }
  const std::atomic<uint32_t>* SlotsOf(int level) const {
    return levels_[level].slots.load(std::memory_order_relaxed);
  }
  static uint32_t TagOf(uint64_t hash) {
    return static_cast<uint32_t>(hash >> 58) << kIdBits;
  }
  static constexpr size_t LevelBytes(int level) {
    return sizeof(uint32_t) << LevelBits(level);
  }
  uint32_t InternSlow(uint32_t parent, uint64_t pc, uint32_t module, uint64_t hash);
  // kRootUnknown: the array is full.
  uint32_t NewNode(uint32_t parent, uint64_t pc, uint32_t module);
  uint32_t Place(int level, uint64_t hash, uint32_t id);
  // The node's id if `level` knows it, else 0.
  uint32_t Probe(int level, uint64_t hash, uint32_t parent, uint64_t pc,
                 uint32_t module) const {
    const std::atomic<uint32_t>* slots =
        levels_[level].slots.load(std::memory_order_acquire);
    const uint32_t mask = MaskOf(level);
    const uint32_t tag = TagOf(hash);
    for (uint32_t i = static_cast<uint32_t>(hash) & mask;; i = (i + 1) & mask) {
      // Acquire: pairs with the release in Place, which follows the node's fields.
      const uint32_t slot = slots[i].load(std::memory_order_acquire);
      if (slot == 0) return 0;
      if ((slot & ~kIdMask) != tag) continue;
      const StackNode& node = tables_->nodes[slot & kIdMask];
      if (node.pc == pc && node.parent == parent && node.module == module) {
        return slot & kIdMask;
      }
    }
  }
  bool Grow(int level);

  ImageTables* tables_ = nullptr;
  std::atomic<int> top_{-1};  // newest level
  Level levels_[kLevels];
};

}  // namespace mallogram
