#include "preload/collector/live_map.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace mallogram {
namespace {

constexpr int kFirstPageBits = 10;  // entries of the first table
constexpr uint32_t kNoNode = UINT32_MAX;

}  // namespace

LiveMap::LiveMap()
    : pages_(size_t{1} << kFirstPageBits),
      page_mask_(pages_.size() - 1),
      hash_shift_(64 - kFirstPageBits) {
  std::fill(std::begin(free_nodes_), std::end(free_nodes_), kNoNode);
}

LiveMap::Page* LiveMap::AddPage(uint64_t address) {
  if (used_pages_ >= pages_.size() / 4 * 3) Rebuild();
  uint64_t i = Home(address);
  while (pages_[i].state != kUnused) i = (i + 1) & page_mask_;
  pages_[i] = {address & ~kOffsetMask, 0, kEmpty};
  ++used_pages_;
  return &pages_[i];
}

// Drops pages without blocks; doubles the table if that does not help.
void LiveMap::Rebuild() {
  const auto full = static_cast<uint64_t>(std::count_if(
      pages_.begin(), pages_.end(), [](const Page& p) { return p.count() != 0; }));
  size_t size = pages_.size();
  while (full >= size / 2) {
    size *= 2;
    --hash_shift_;
  }
  std::vector<Page> old(size);
  old.swap(pages_);
  page_mask_ = size - 1;
  used_pages_ = full;
  for (const Page& page : old) {
    if (page.count() == 0) continue;
    uint64_t i = Home(page.name);
    while (pages_[i].state != kUnused) i = (i + 1) & page_mask_;
    pages_[i] = page;
  }
}

// Of undefined content.
uint32_t LiveMap::NewNode(uint32_t bits) {
  const uint32_t free = free_nodes_[bits];
  if (free != kNoNode) {
    free_nodes_[bits] = *Slots(free);
    return free;
  }
  const uint32_t units = 1u << (bits - kFirstNode);
  // What is larger than half a cache line does not straddle one.
  if (units > 1) next_unit_ += next_unit_ & 1;
  const uint32_t node = next_unit_;
  if (node > kNoNode - units) throw std::bad_alloc();
  next_unit_ += units;
  if (next_unit_ > nodes_.capacity()) nodes_.Grow(next_unit_, /*huge=*/true);
  return node;
}

void LiveMap::DropNode(uint32_t node, uint32_t bits) {
  *Slots(node) = free_nodes_[bits];
  free_nodes_[bits] = node;
}

bool LiveMap::AllAligned(const Page& page) const {
  const Entry* const entries = Entries(page.node);
  return std::all_of(
      entries, entries + (1u << page.kind()), [](const Entry& entry) {
        return entry.key == 0 || ((entry.key - 1) & kGranuleMask) == 0;
      });
}

// A hash node gets twice its size, or becomes a direct one. `aligned`: so is the
// address that is to come.
void LiveMap::Grow(Page* page, bool aligned) {
  const uint32_t bits = page->kind();
  const Page old = *page;
  if (bits + 1 == kDirectBits && aligned && AllAligned(old)) {
    page->node = NewNode(kDirectBits);
    page->state += kDirect - bits;
    const Entry* const entries = Entries(old.node);
    uint32_t* const slots = Slots(page->node);
    std::fill(slots, slots + (1u << (kPageBits - kGranuleBits)), kNone);
    for (uint32_t i = 0; i < 1u << bits; ++i) {
      if (entries[i].key != 0) slots[Granule(entries[i].key - 1)] = entries[i].slot;
    }
  } else {
    page->node = NewNode(bits + 1);
    page->state += 1;
    const Entry* const entries = Entries(old.node);
    std::memset(Entries(page->node), 0, sizeof(Entry) << (bits + 1));
    for (uint32_t i = 0; i < 1u << bits; ++i) {
      if (entries[i].key != 0) *Probe(*page, entries[i].key) = entries[i];
    }
  }
  DropNode(old.node, bits);
}

// An address came that has no granule of its own.
void LiveMap::BecomeHash(Page* page) {
  const uint32_t direct = page->node;
  uint32_t bits = kDirectBits;
  while (page->count() >= MostOf(bits)) ++bits;
  page->node = NewNode(bits);
  page->state -= kDirect - bits;
  std::memset(Entries(page->node), 0, sizeof(Entry) << bits);
  const uint32_t* const slots = Slots(direct);
  for (uint32_t i = 0; i < 1u << (kPageBits - kGranuleBits); ++i) {
    if (slots[i] == kNone) continue;
    const uint32_t key = KeyOf(uint64_t{i} << kGranuleBits);
    *Probe(*page, key) = {slots[i], key};
  }
  DropNode(direct, kDirectBits);
}

// The page has no node, a full one, or one that the address does not fit.
uint32_t* LiveMap::InsertSlow(Page* page, uint64_t address) {
  const uint64_t offset = address & kOffsetMask;
  if (page->kind() == kSingle) {
    if (page->name == address) return nullptr;
    const Entry first = {page->node, KeyOf(page->name)};
    page->node = NewNode(kFirstNode);
    page->state = kOne | kFirstNode;
    std::memset(Entries(page->node), 0, sizeof(Entry) << kFirstNode);
    *Probe(*page, first.key) = first;
  } else if (page->kind() == kDirect) {
    BecomeHash(page);
  } else {
    if (Probe(*page, KeyOf(address))->key != 0) return nullptr;
    Grow(page, (offset & kGranuleMask) == 0);
  }
  return Insert(address);
}

// At most one block is there, and no node-less one of this address.
uint32_t LiveMap::TakeSlow(Page* page, uint64_t address) {
  const uint32_t kind = page->kind();
  uint32_t slot = kNone;
  if (kind == kDirect) {
    slot = Slots(page->node)[Granule(address)];
    if ((address & kGranuleMask) != 0 || slot == kNone) return kNone;
    DropNode(page->node, kDirectBits);
  } else if (kind <= kLastNode && kind >= kFirstNode) {
    const Entry* const entry = Probe(*page, KeyOf(address));
    if (entry->key == 0) return kNone;
    slot = entry->slot;
    DropNode(page->node, kind);
  } else {
    return kNone;  // nothing, or another one
  }
  page->state = kEmpty;
  --size_;
  return slot;
}

uint32_t LiveMap::Find(uint64_t address) const {
  const Page* const page = FindPage(address);
  if (page == nullptr || page->kind() == kEmpty) return kNone;
  if (page->kind() == kSingle) return page->name == address ? page->node : kNone;
  if (page->kind() == kDirect) {
    return (address & kGranuleMask) == 0 ? Slots(page->node)[Granule(address)]
                                         : kNone;
  }
  const Entry* const entry = Probe(*page, KeyOf(address));
  return entry->key != 0 ? entry->slot : kNone;
}

LiveMap::Start LiveMap::LastBefore(uint64_t address) const {
  Start last = {0, kNone};
  const Page* const page = FindPage(address);
  if (page == nullptr || page->count() == 0) return last;
  const uint64_t start = address & ~kOffsetMask;
  if (page->kind() == kSingle) {
    if (page->name <= address) last = {page->name, page->node};
  } else if (page->kind() == kDirect) {
    const uint32_t* const slots = Slots(page->node);
    for (uint64_t g = Granule(address) + 1; g-- != 0;) {
      if (slots[g] != kNone) return {start + (g << kGranuleBits), slots[g]};
    }
  } else {
    const Entry* const entries = Entries(page->node);
    const uint32_t key = KeyOf(address);
    uint32_t best = 0;
    for (uint32_t i = 0; i < 1u << page->kind(); ++i) {
      if (entries[i].key > key || entries[i].key <= best) continue;
      best = entries[i].key;
      last = {start + best - 1, entries[i].slot};
    }
  }
  return last;
}

}  // namespace mallogram
