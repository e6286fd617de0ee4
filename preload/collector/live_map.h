// Address → slot of the blocks alive: how a free finds its allocation.
//
// Two levels, because a heap is local: a table of 4 KiB pages of address space,
// and for each page that holds blocks a small table of its own.
// Blocks allocated one after the other share cache lines here as they do there; a
// flat hash of addresses misses the cache once an event as soon as the heap
// outgrows it. Prefetching in both, with half a million blocks and more,
// absl::flat_hash_map takes two and a half to four times as long to insert, and one
// and a half to three times to remove, or as long if blocks are freed at random out
// of half a million (meson test --benchmark live_map --verbose).
//
// A page with one block keeps it in its own entry. More blocks take a node, a hash
// table of 4, 8, 16 … entries with linear probing, at most 3/4 full. (Ordered by
// address within the page, as it was once, half-filled pages made long runs, whose
// ends no branch predictor foresees.)
// A page with more than 56 blocks, all aligned to 16 bytes, has one place for each
// of its 256 granules: no more memory than the hash table would take, and nothing
// to search. Addresses of any alignment are kept apart. Nodes stand in one array
// and are named by 32-bit numbers.
//
// Memory: 16 bytes a page, in a table 3/8 to 3/4 full; 8–16 a block in pages of
// blocks of less than 80 bytes, 8–21 in others.
//
// Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "preload/trace/mapped_array.h"

namespace mallogram {

class LiveMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  // Given by callers to addresses that are live, but not followed; the largest that
  // may be given.
  static constexpr uint32_t kUnfollowed = UINT32_MAX - 1;

  LiveMap();
  LiveMap(const LiveMap&) = delete;
  LiveMap& operator=(const LiveMap&) = delete;

  // Where the slot of `address` is to be stored, at once; nullptr if the address is
  // live.
  uint32_t* Insert(uint64_t address);
  // kNone: not live.
  uint32_t Find(uint64_t address) const;
  // Removes the address; its slot, or kNone if it is not live.
  uint32_t Take(uint64_t address);
  bool Contains(uint64_t address) const { return Find(address) != kNone; }
  uint64_t size() const { return size_; }

  // The last block that starts at or before `address` in the same page of 4 KiB.
  // slot == kNone: none does.
  struct Start {
    uint64_t address;
    uint32_t slot;
  };
  Start LastBefore(uint64_t address) const;
  // f(address, slot) for every block, page by page, in no order of the addresses.
  template <typename F>
  void ForEach(F&& f) const;

  // For a batch of addresses: first PrefetchPage of all, then PrefetchBlock of
  // all, so that both levels' cache misses overlap. (Always inlined: see
  // HeapModel.)
  [[gnu::always_inline]] void PrefetchPage(uint64_t address) const {
    __builtin_prefetch(&pages_[Home(address)]);
  }
  [[gnu::always_inline]] void PrefetchBlock(uint64_t address) const;

 private:
  static constexpr int kPageBits = 12;
  static constexpr uint64_t kOffsetMask = (1u << kPageBits) - 1;
  static constexpr int kGranuleBits = 4;
  static constexpr uint64_t kGranuleMask = (1u << kGranuleBits) - 1;

  // What a page has. 2 … 13: a hash node of 2^kind entries.
  static constexpr uint32_t kUnused = 0;  // the entry is free
  static constexpr uint32_t kEmpty =
      1;  // no blocks; goes when the table is rebuilt
  static constexpr uint32_t kFirstNode = 2, kLastNode = 13;
  static constexpr uint32_t kSingle = 14;  // one block
  static constexpr uint32_t kDirect = 15;  // a direct node: a slot per granule
  static constexpr uint32_t kMostHashed = 56;
  static constexpr uint32_t kDirectBits =
      7;  // it takes as much as a hash node of these
  static constexpr int kKindBits = 4;
  static constexpr uint32_t kOne = 1u << kKindBits;  // one block in `state`

  struct Page {
    uint64_t name;   // page number << kPageBits | offset of the single block
    uint32_t node;   // its number, or the slot of the single block
    uint32_t state;  // blocks << kKindBits | kind
    uint32_t kind() const { return state & (kOne - 1); }
    uint32_t count() const { return state >> kKindBits; }
  };
  static_assert(sizeof(Page) == 16);

  // Of a hash node. `key`: offset in the page plus one; 0: no entry.
  struct Entry {
    uint32_t slot;
    uint32_t key;
  };
  // Nodes are named by where they stand, in units of the smallest one's size.
  struct Unit {
    Entry entries[1 << kFirstNode];
  };

  uint64_t Home(uint64_t address) const {
    return (address >> kPageBits) * 0x9e3779b97f4a7c15ULL >> hash_shift_;
  }
  static uint32_t KeyOf(uint64_t address) {
    return static_cast<uint32_t>(address & kOffsetMask) + 1;
  }
  // By the golden ratio: blocks at even distances, as most are, spread evenly.
  static uint32_t HomeOf(uint32_t key, uint32_t bits) {
    return (key - 1) * 0x9e3779b1u >> (32 - bits);
  }
  // The last before a direct node may be fuller: it takes half as much.
  static uint32_t MostOf(uint32_t bits) {
    return bits == kDirectBits - 1 ? kMostHashed : (3u << bits) / 4;
  }
  static uint64_t Granule(uint64_t address) {
    return (address & kOffsetMask) >> kGranuleBits;
  }

  // Until the next NewNode.
  Entry* Entries(uint32_t node) { return nodes_[node].entries; }
  const Entry* Entries(uint32_t node) const { return nodes_[node].entries; }
  uint32_t* Slots(uint32_t node) {
    return reinterpret_cast<uint32_t*>(Entries(node));
  }
  const uint32_t* Slots(uint32_t node) const {
    return reinterpret_cast<const uint32_t*>(Entries(node));
  }

  // The entry of `key`, or the free one where it belongs.
  const Entry* Probe(const Page& page, uint32_t key) const {
    const Entry* const entries = Entries(page.node);
    const uint32_t bits = page.kind();
    const uint32_t mask = (1u << bits) - 1;
    for (uint32_t i = HomeOf(key, bits);; i = (i + 1) & mask) {
      if (entries[i].key == key || entries[i].key == 0) return &entries[i];
    }
  }
  Entry* Probe(const Page& page, uint32_t key) {
    return const_cast<Entry*>(std::as_const(*this).Probe(page, key));
  }
  Page* FindPage(uint64_t address) const {
    for (uint64_t i = Home(address);; i = (i + 1) & page_mask_) {
      const Page& page = pages_[i];
      if (page.state == kUnused) return nullptr;
      if ((page.name ^ address) <= kOffsetMask) return const_cast<Page*>(&page);
    }
  }

  uint32_t* InsertSlow(Page* page, uint64_t address);
  uint32_t TakeSlow(Page* page, uint64_t address);
  Page* AddPage(uint64_t address);
  void Rebuild();
  uint32_t NewNode(uint32_t bits);
  void DropNode(uint32_t node, uint32_t bits);
  void Grow(Page* page, bool aligned);
  void BecomeHash(Page* page);
  bool AllAligned(const Page& page) const;
  void Erase(Page* page, Entry* entry);

  std::vector<Page> pages_;
  uint64_t page_mask_;
  int hash_shift_;
  uint64_t used_pages_ = 0;  // entries of pages_ that are in use
  uint64_t size_ = 0;
  MappedArray<Unit> nodes_;
  uint32_t next_unit_ = 0;
  uint32_t free_nodes_[kLastNode + 1];  // by bits, chained through the first word
};

// ---- hot path -------------------------------------------------------------

[[gnu::always_inline]] inline uint32_t* LiveMap::Insert(uint64_t address) {
  Page* page = FindPage(address);
  if (page == nullptr) [[unlikely]]
    page = AddPage(address);
  const uint32_t kind = page->kind();
  if (kind == kDirect && (address & kGranuleMask) == 0) {
    uint32_t* const slot = &Slots(page->node)[Granule(address)];
    if (*slot != kNone) [[unlikely]]
      return nullptr;
    page->state += kOne;
    ++size_;
    return slot;
  }
  if (kind <= kLastNode && page->count() < MostOf(kind) && kind != kEmpty) {
    const uint32_t key = KeyOf(address);
    Entry* const entry = Probe(*page, key);
    if (entry->key != 0) [[unlikely]]
      return nullptr;
    entry->key = key;
    page->state += kOne;
    ++size_;
    return &entry->slot;
  }
  if (kind == kEmpty) {
    page->name = address;
    page->state = kOne | kSingle;
    ++size_;
    return &page->node;
  }
  return InsertSlow(page, address);
}

[[gnu::always_inline]] inline uint32_t LiveMap::Take(uint64_t address) {
  Page* const page = FindPage(address);
  if (page == nullptr) [[unlikely]]
    return kNone;
  const uint32_t kind = page->kind();
  if (page->count() <= 1) {
    if (page->name != address || kind != kSingle) return TakeSlow(page, address);
    page->state = kEmpty;
    --size_;
    return page->node;
  }
  if (kind == kDirect) {
    uint32_t* const place = &Slots(page->node)[Granule(address)];
    const uint32_t slot = *place;
    if ((address & kGranuleMask) != 0 || slot == kNone) [[unlikely]]
      return kNone;
    *place = kNone;
    page->state -= kOne;
    --size_;
    return slot;
  }
  Entry* const entry = Probe(*page, KeyOf(address));
  if (entry->key == 0) [[unlikely]]
    return kNone;
  const uint32_t slot = entry->slot;
  Erase(page, entry);
  page->state -= kOne;
  --size_;
  return slot;
}

// Closes the gap: entries behind it that may stand nearer to their home move up,
// so that no search ends too early and no tombstones pile up.
inline void LiveMap::Erase(Page* page, Entry* entry) {
  Entry* const entries = Entries(page->node);
  const uint32_t bits = page->kind();
  const uint32_t mask = (1u << bits) - 1;
  auto gap = static_cast<uint32_t>(entry - entries);
  for (uint32_t i = (gap + 1) & mask; entries[i].key != 0; i = (i + 1) & mask) {
    const uint32_t home = HomeOf(entries[i].key, bits);
    // Distances measured backwards from i, around the end of the table.
    if (((i - home) & mask) >= ((i - gap) & mask)) {
      entries[gap] = entries[i];
      gap = i;
    }
  }
  entries[gap].key = 0;
}

inline void LiveMap::PrefetchBlock(uint64_t address) const {
  // The first probe is the page more often than not; another page's node does no
  // harm.
  const Page& page = pages_[Home(address)];
  const uint32_t kind = page.kind();
  if (kind == kDirect) {
    __builtin_prefetch(&Slots(page.node)[Granule(address)], 1);
  } else if (kind >= kFirstNode && kind <= kLastNode) {
    __builtin_prefetch(&Entries(page.node)[HomeOf(KeyOf(address), kind)], 1);
  }
}

template <typename F>
void LiveMap::ForEach(F&& f) const {
  // Nodes are fetched ahead: the table of pages is read in order, they are not.
  constexpr size_t kAhead = 16;
  for (size_t i = 0; i < pages_.size(); ++i) {
    if (i + kAhead < pages_.size()) {
      const Page& next = pages_[i + kAhead];
      if (next.count() > 1) __builtin_prefetch(Entries(next.node));
    }
    const Page& page = pages_[i];
    const uint64_t start = page.name & ~kOffsetMask;
    const uint32_t kind = page.kind();
    if (kind == kSingle) {
      f(page.name, page.node);
    } else if (kind == kDirect) {
      const uint32_t* const slots = Slots(page.node);
      for (uint32_t g = 0; g < 1u << (kPageBits - kGranuleBits); ++g) {
        if (slots[g] != kNone) f(start + (uint64_t{g} << kGranuleBits), slots[g]);
      }
    } else if (kind >= kFirstNode && kind <= kLastNode) {
      const Entry* const entries = Entries(page.node);
      for (uint32_t e = 0; e < 1u << kind; ++e) {
        if (entries[e].key != 0) f(start + entries[e].key - 1, entries[e].slot);
      }
    }
  }
}

}  // namespace mallogram
