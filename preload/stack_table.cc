#include "preload/stack_table.h"

#include "preload/own_memory.h"

namespace mallogram {

void StackTable::Clear() {
  for (int i = 0; i < kLevels; ++i) {
    Level& level = levels_[i];
    std::atomic<uint32_t>* slots = level.slots.load(std::memory_order_relaxed);
    if (slots != nullptr) GiveMemory(slots, LevelBytes(i));
    level.slots.store(nullptr, std::memory_order_relaxed);
    level.used.store(0, std::memory_order_relaxed);
  }
  top_.store(-1, std::memory_order_relaxed);
  tables_ = nullptr;
}

bool StackTable::Init(ImageTables* tables) {
  Clear();
  tables_ = tables;
  return Grow(0);
}

// Makes `level` if it does not exist, and the newest. False: no memory.
bool StackTable::Grow(int level) {
  if (level >= kLevels) return false;
  Level& next = levels_[level];
  if (next.slots.load(std::memory_order_acquire) == nullptr) {
    const size_t bytes = LevelBytes(level);
    auto* slots = static_cast<std::atomic<uint32_t>*>(TakeMemory(bytes));
    if (slots == nullptr) return false;
    std::atomic<uint32_t>* expected = nullptr;
    if (!next.slots.compare_exchange_strong(expected, slots,
                                            std::memory_order_acq_rel)) {
      GiveMemory(slots, bytes);  // another thread was first
    }
  }
  int top = top_.load(std::memory_order_relaxed);
  while (top < level &&
         !top_.compare_exchange_weak(top, level, std::memory_order_seq_cst)) {
  }
  return true;
}

// Enters `id` in `level`. Returns the id that stands for the node there: `id`, or
// another thread's, which was faster. 0: the level is too full.
uint32_t StackTable::Place(int level, uint64_t hash, uint32_t id) {
  Level& l = levels_[level];
  std::atomic<uint32_t>* slots = l.slots.load(std::memory_order_acquire);
  const uint32_t size = MaskOf(level) + 1;
  // Half full is where linear probing starts to wander. The last level is filled
  // further: kIdBits bounds the nodes, so it never fills up.
  if (l.used.load(std::memory_order_relaxed) >= size / 2 && level + 1 < kLevels) {
    return 0;
  }
  const uint32_t entry = id | TagOf(hash);
  const StackNode& node = tables_->nodes[id];
  for (uint32_t i = static_cast<uint32_t>(hash) & (size - 1);;
       i = (i + 1) & (size - 1)) {
    uint32_t slot = slots[i].load(std::memory_order_acquire);
    if (slot == 0) {
      if (slots[i].compare_exchange_strong(slot, entry,
                                           std::memory_order_seq_cst)) {
        l.used.fetch_add(1, std::memory_order_relaxed);
        return id;
      }
      // `slot` now holds what the other thread put there.
    }
    if ((slot & ~kIdMask) != (entry & ~kIdMask)) continue;
    const StackNode& other = tables_->nodes[slot & kIdMask];
    if (other.pc == node.pc && other.parent == node.parent &&
        other.module == node.module) {
      return slot & kIdMask;
    }
  }
}

uint32_t StackTable::InternSlow(uint32_t parent, uint64_t pc, uint32_t module,
                                uint64_t hash) {
  uint32_t own = 0;  // made here; a hole if another thread's is found later
  for (;;) {
    const int top = top_.load(std::memory_order_seq_cst);
    uint32_t id = 0;
    for (int level = top; level >= 0 && id == 0; --level) {
      id = Probe(level, hash, parent, pc, module);
    }
    if (id == 0) {
      if (own == 0) own = NewNode(parent, pc, module);
      if (own == kRootUnknown) return own;
      id = own;
    }
    const uint32_t placed = Place(top, hash, id);
    if (placed == 0) {
      // Out of memory: the id is good, it just is not found again.
      if (!Grow(top + 1)) return id;
    } else if (top_.load(std::memory_order_seq_cst) == top) {
      return placed;
    }
  }
}

uint32_t StackTable::NewNode(uint32_t parent, uint64_t pc, uint32_t module) {
  ImageHeader* const header = tables_->header;
  // Looked at first, so that the counter can't run away past its end.
  const uint32_t next = header->node_count.load(std::memory_order_relaxed);
  if (next >= header->max_nodes) return kRootUnknown;
  // A chunk is made while there is room for some: a signal handler that interrupts
  // the making goes on with that.
  constexpr uint32_t kSpare = 256;
  const auto has = [this](uint32_t id) {
    return tables_->nodes.Has(id) || MakeNode(tables_, id);
  };
  const bool spare = has(next + kSpare);  // then all before are there, too
  if (!spare && !has(next)) return kRootUnknown;
  const uint32_t id = header->node_count.fetch_add(1, std::memory_order_relaxed);
  if (id >= header->max_nodes || id > kIdMask) return kRootUnknown;
  if ((!spare || id > next + kSpare) && !has(id)) return kRootUnknown;
  StackNode& node = tables_->nodes[id];
  // Read first: a read fault maps all pages around that the collector has made, a
  // write fault one.
  static_cast<void>(*static_cast<volatile uint64_t*>(&node.pc));
  node = StackNode{pc, parent, module};
  return id;
}

}  // namespace mallogram
