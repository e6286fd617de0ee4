#include "preload/collector/live_map.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace mallogram {
namespace {

constexpr size_t kFirstPages = 1024;

}  // namespace

LiveMap::LiveMap() : pages_(kFirstPages), mask_(kFirstPages - 1) {}

LiveMap::~LiveMap() {
  for (Page& page : pages_) std::free(page.node);
  for (Node* node : free_nodes_) {
    while (node != nullptr) {
      Node* next;
      std::memcpy(&next, node->entries(), sizeof(next));
      std::free(node);
      node = next;
    }
  }
}

LiveMap::Page* LiveMap::FindPage(uint64_t number) const {
  for (uint64_t i = Hash(number) & mask_;; i = (i + 1) & mask_) {
    const Page& page = pages_[i];
    if (page.number_plus_one == number + 1) return const_cast<Page*>(&page);
    if (page.number_plus_one == 0) return nullptr;
  }
}

LiveMap::Page* LiveMap::AddPage(uint64_t number) {
  if (used_pages_ >= pages_.size() / 8 * 5) Rebuild();
  uint64_t i = Hash(number) & mask_;
  while (pages_[i].number_plus_one != 0) i = (i + 1) & mask_;
  pages_[i].number_plus_one = number + 1;
  ++used_pages_;
  return &pages_[i];
}

// Drops pages without blocks; doubles the table if that does not help.
void LiveMap::Rebuild() {
  uint64_t full = 0;
  for (const Page& page : pages_) {
    full += page.node != nullptr || page.single.key != 0 ? 1 : 0;
  }
  size_t size = pages_.size();
  while (full >= size / 8 * 3) size *= 2;
  std::vector<Page> old(size);
  old.swap(pages_);
  mask_ = size - 1;
  used_pages_ = full;
  for (const Page& page : old) {
    if (page.node == nullptr && page.single.key == 0) continue;
    uint64_t i = Hash(page.number_plus_one - 1) & mask_;
    while (pages_[i].number_plus_one != 0) i = (i + 1) & mask_;
    pages_[i] = page;
  }
}

LiveMap::Node* LiveMap::NewNode(uint32_t bits) {
  const size_t entries_bytes = sizeof(Entry) << bits;
  Node* node = free_nodes_[bits];
  if (node != nullptr) {
    std::memcpy(&free_nodes_[bits], node->entries(), sizeof(Node*));
  } else {
    node = static_cast<Node*>(std::malloc(sizeof(Node) + entries_bytes));
    if (node == nullptr) throw std::bad_alloc();
  }
  node->count = 0;
  node->bits = bits;
  std::memset(node->entries(), 0, entries_bytes);
  return node;
}

void LiveMap::DropNode(Node* node) {
  std::memcpy(node->entries(), &free_nodes_[node->bits], sizeof(Node*));
  free_nodes_[node->bits] = node;
}

LiveMap::Entry* LiveMap::Probe(Node* node, uint32_t key) {
  Entry* const entries = node->entries();
  const uint32_t mask = (1u << node->bits) - 1;
  for (uint32_t i = HomeOf(key, node->bits);; i = (i + 1) & mask) {
    if (entries[i].key == key || entries[i].key == 0) return &entries[i];
  }
}

LiveMap::Node* LiveMap::Grow(Node* node) {
  Node* grown = NewNode(node->bits + 1);
  const Entry* const entries = node->entries();
  for (uint32_t i = 0; i < 1u << node->bits; ++i) {
    if (entries[i].key != 0) *Probe(grown, entries[i].key) = entries[i];
  }
  grown->count = node->count;
  DropNode(node);
  return grown;
}

// Closes the gap: entries behind it that may stand nearer to their home move up,
// so that no search ends too early and no tombstones pile up.
void LiveMap::Erase(Node* node, Entry* entry) {
  Entry* const entries = node->entries();
  const uint32_t mask = (1u << node->bits) - 1;
  auto gap = static_cast<uint32_t>(entry - entries);
  for (uint32_t i = (gap + 1) & mask; entries[i].key != 0; i = (i + 1) & mask) {
    const uint32_t home = HomeOf(entries[i].key, node->bits);
    // Distances measured backwards from i, around the end of the table.
    if (((i - home) & mask) >= ((i - gap) & mask)) {
      entries[gap] = entries[i];
      gap = i;
    }
  }
  entries[gap].key = 0;
  --node->count;
}

uint32_t* LiveMap::Insert(uint64_t address) {
  const uint64_t number = address >> kPageBits;
  const uint32_t key = KeyOf(address);
  Page* page = FindPage(number);
  if (page == nullptr) page = AddPage(number);
  Node* node = page->node;
  if (node == nullptr) {
    if (page->single.key == key) return nullptr;
    if (page->single.key == 0) {
      page->single = {kNone, key};
      ++size_;
      return &page->single.slot;
    }
    node = NewNode(kFirstNodeBits);
    *Probe(node, page->single.key) = page->single;
    node->count = 1;
    SetNode(page, node);
  } else if (node->count + 1 > (3u << node->bits) / 4) {
    if (Probe(node, key)->key != 0) return nullptr;
    node = Grow(node);
    SetNode(page, node);
  }
  Entry* entry = Probe(node, key);
  if (entry->key != 0) return nullptr;
  *entry = {kNone, key};
  ++node->count;
  ++size_;
  return &entry->slot;
}

uint32_t LiveMap::Find(uint64_t address) const {
  const uint32_t key = KeyOf(address);
  const Page* page = FindPage(address >> kPageBits);
  if (page == nullptr) return kNone;
  if (page->node == nullptr) {
    return page->single.key == key ? page->single.slot : kNone;
  }
  const Entry* entry = Probe(page->node, key);
  return entry->key == key ? entry->slot : kNone;
}

uint32_t LiveMap::Take(uint64_t address) {
  const uint32_t key = KeyOf(address);
  Page* page = FindPage(address >> kPageBits);
  if (page == nullptr) return kNone;
  Node* node = page->node;
  if (node == nullptr) {
    if (page->single.key != key) return kNone;
    page->single.key = 0;
    --size_;
    return page->single.slot;
  }
  Entry* entry = Probe(node, key);
  if (entry->key == 0) return kNone;
  const uint32_t slot = entry->slot;
  Erase(node, entry);
  --size_;
  if (node->count == 0) {
    DropNode(node);
    page->node = nullptr;  // single.key is 0
  }
  return slot;
}

void LiveMap::PrefetchBlock(uint64_t address) const {
  // The first probe is the page more often than not; another page's node does no
  // harm.
  const Page& page = pages_[Hash(address >> kPageBits) & mask_];
  if (page.node == nullptr) return;
  __builtin_prefetch(page.node);
  const uint32_t bits = page.single.slot;
  __builtin_prefetch(&page.node->entries()[HomeOf(KeyOf(address), bits)]);
}

}  // namespace mallogram
