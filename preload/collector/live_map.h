// Address → slot of the blocks alive: how a free finds its allocation.
//
// Two levels, because a heap is local: a table of 4 KiB pages of address space,
// and for each page that holds blocks a small table of its own, ordered by address.
// Blocks allocated one after the other share cache lines here as they do there; a
// flat hash of addresses misses the cache once an event as soon as the heap
// outgrows it. Prefetching in both, absl::flat_hash_map took three to six times as
// long to insert and as long to remove, but for blocks freed at random out of
// millions, where it took two thirds (meson test --benchmark live_map --verbose).
//
// A page with one block keeps it in its own entry; more blocks take a node of
// 4, 8, 16 … entries, at most 3/4 full, linear probing. Addresses of any alignment
// are kept apart. Memory: 11–21 B a block in dense pages, 24–64 B for a block that
// is alone in its page.
//
// Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mallogram {

class LiveMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  LiveMap();
  ~LiveMap();
  LiveMap(const LiveMap&) = delete;
  LiveMap& operator=(const LiveMap&) = delete;

  // Where the slot of `address` is to be stored; nullptr if the address is live.
  // Valid until the next call.
  uint32_t* Insert(uint64_t address);
  // kNone: not live.
  uint32_t Find(uint64_t address) const;
  // Removes the address; its slot, or kNone if it is not live.
  uint32_t Take(uint64_t address);
  bool Contains(uint64_t address) const { return Find(address) != kNone; }
  uint64_t size() const { return size_; }

  // For a batch of addresses: first PrefetchPage of all, then PrefetchBlock of
  // all, so that both levels' cache misses overlap.
  void PrefetchPage(uint64_t address) const {
    __builtin_prefetch(&pages_[Hash(address >> kPageBits) & mask_]);
  }
  void PrefetchBlock(uint64_t address) const;

 private:
  static constexpr int kPageBits = 12;

  // `key`: offset in the page plus one; 0: no entry.
  struct Entry {
    uint32_t slot;
    uint32_t key;
  };
  struct Node {
    uint32_t count;
    uint32_t bits;  // 2^bits entries
    Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
    const Entry* entries() const {
      return reinterpret_cast<const Entry*>(this + 1);
    }
  };
  static_assert(sizeof(Node) == sizeof(Entry));
  // Free: number_plus_one == 0. A page that has become empty stays until the
  // table is rebuilt.
  struct Page {
    uint64_t number_plus_one;
    // The only block, if node == nullptr; else {node->bits, 0}, so that prefetching
    // need not look into the node.
    Entry single;
    Node* node;
  };

  static constexpr int kFirstNodeBits = 2;
  static constexpr int kMaxNodeBits = 13;  // 3/4 of it holds 4,096 offsets

  static uint64_t Hash(uint64_t number) {
    const uint64_t h = number * 0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32;
  }
  static uint32_t KeyOf(uint64_t address) {
    return static_cast<uint32_t>(address & ((1u << kPageBits) - 1)) + 1;
  }
  // Ordered by address, so that neighbours are neighbours.
  static uint32_t HomeOf(uint32_t key, uint32_t bits) {
    return static_cast<uint32_t>((uint64_t{key - 1} << bits) >> kPageBits);
  }

  Page* FindPage(uint64_t number) const;
  Page* AddPage(uint64_t number);
  void Rebuild();
  Node* NewNode(uint32_t bits);
  void DropNode(Node* node);
  // The entry of `key`, or the free one where it belongs.
  static Entry* Probe(Node* node, uint32_t key);
  Node* Grow(Node* node);
  static void SetNode(Page* page, Node* node) {
    page->node = node;
    page->single = {node->bits, 0};
  }
  static void Erase(Node* node, Entry* entry);

  std::vector<Page> pages_;
  uint64_t mask_;
  uint64_t used_pages_ = 0;  // entries of pages_ that are not free
  uint64_t size_ = 0;
  Node* free_nodes_[kMaxNodeBits + 1] = {};  // by bits, chained through entry 0
};

}  // namespace mallogram
