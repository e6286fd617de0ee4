#include "preload/collector/leaks/heap_ranges.h"

#include <algorithm>

#include "preload/collector/leaks/windows.h"

namespace mallogram::leaks {
namespace {

constexpr uint64_t kPage = 4096;
// glibc's HEAP_MAX_SIZE on 64-bit machines.
constexpr uint64_t kArenaBytes = uint64_t{64} << 20;

// glibc's heap_info: how each part of an arena begins.
struct ArenaHeader {
  uint64_t arena, previous, size, writable;
};

bool IsArena(uint64_t start, const ArenaHeader& header) {
  const uint64_t first = header.arena & ~(kArenaBytes - 1);
  const uint64_t offset = header.arena - first;
  return header.size != 0 && header.size % kPage == 0 &&
         header.writable % kPage == 0 && header.size <= header.writable &&
         header.writable <= kArenaBytes && header.previous % kArenaBytes == 0 &&
         first != 0 && offset >= sizeof(ArenaHeader) && offset <= 0x60 &&
         (header.previous != 0) == (first != start);
}

void FindArenas(const std::vector<Mapping>& maps, Memory* memory, RangeSet* heap) {
  for (const Mapping& mapping : maps) {
    if (!mapping.readable || !mapping.writable || mapping.shared ||
        mapping.inode != 0 ||
        (!mapping.path.empty() && mapping.path[0] == '[' &&
         !mapping.path.starts_with("[anon"))) {
      continue;
    }
    uint64_t start = (mapping.start + kArenaBytes - 1) & ~(kArenaBytes - 1);
    uint64_t from = 0, to = 0;
    // Present pages only: a reservation of terabytes has many multiples of 64 MiB.
    while (start < mapping.end &&
           memory->NextPresent(start, mapping.end, &from, &to)) {
      if (from > start) {
        start = (from + kArenaBytes - 1) & ~(kArenaBytes - 1);
        if (start >= to) continue;
      }
      ArenaHeader header = {};
      if (memory->Read(start, &header, sizeof(header)) == sizeof(header) &&
          IsArena(start, header)) {
        heap->Add(start, start + header.writable);
      }
      start += kArenaBytes;
    }
  }
}

}  // namespace

void FindHeap(const ScanRequest& request, const std::vector<Mapping>& maps,
              const RangeSet& own, Memory* memory, RangeSet* heap) {
  for (const Mapping& mapping : maps) {
    if (mapping.path == "[heap]") heap->Add(mapping.start, mapping.end);
  }
  if (request.glibc_heap) FindArenas(maps, memory, heap);
  Windows windows(memory);
  uint64_t known_start = 0, known_end = 0;  // of the heap, where the last block was
  request.live->ForEach([&](uint64_t start, uint32_t slot) {
    if (memory->Stopped()) return;
    if (start - known_start < known_end - known_start) return;
    const auto here = heap->Common(start, start + 1);
    if (!here.empty()) {
      const auto at = std::prev(heap->ranges().upper_bound(start));
      known_start = at->first;
      known_end = at->second;
      return;
    }
    if (!request.model->IsLive(slot)) return;
    const Mapping* const mapping = FindMapping(maps, start);
    if (mapping == nullptr) return;
    // Sizes may be nonsense.
    const uint64_t end =
        start + std::min(request.model->SizeAt(slot), mapping->end - start);
    const bool anonymous = mapping->inode == 0 && mapping->path != "[stack]";
    if (!anonymous || own.Contains(start)) {
      heap->Add(start, end);
      return;
    }
    if (!request.glibc_heap) {
      heap->Add(mapping->start, mapping->end);
      return;
    }
    // malloc_chunk: size of the chunk before, or of the gap before a mapped one;
    // size and flags.
    uint64_t gap = 0, size = 0;
    if (!windows.Word(start - 16, &gap) || !windows.Word(start - 8, &size)) {
      heap->Add(start, end);
      return;
    }
    constexpr uint64_t kFlags = 7, kMapped = 2;
    const uint64_t chunk = size & ~kFlags;
    const uint64_t bytes = end - start;
    if (chunk >= bytes + 16 && (size & kMapped) != 0 &&
        gap <= start - mapping->start && (start - 16 - gap) % kPage == 0 &&
        (gap + chunk) % kPage == 0 && chunk <= mapping->end - (start - 16)) {
      heap->Add(start - 16 - gap, start - 16 + chunk);
    } else if (chunk >= bytes + 8 && chunk % 16 == 0 && chunk - bytes < 64) {
      // Of the main arena, where brk could not be had.
      heap->Add(mapping->start, mapping->end);
    } else {
      heap->Add(start, end);  // a program's own pool
    }
  });
}

}  // namespace mallogram::leaks
