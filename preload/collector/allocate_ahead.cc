#include "preload/collector/allocate_ahead.h"

#include <sys/mman.h>

#include <algorithm>

namespace mallogram {
namespace {

constexpr uint64_t kStep = 64 << 10;     // what one fault maps
constexpr uint64_t kMargin = 128 << 10;  // ahead of the program

}  // namespace

void AllocateAhead::Extend(char* start, uint64_t wanted, uint64_t limit,
                           uint64_t* done) {
  wanted = std::min((wanted + kStep - 1) / kStep * kStep, limit);
  if (wanted <= *done) return;
  // Reading makes the pages, all at once; fallocate would leave them unmappable
  // until they are zeroed. If it fails (Linux < 5.14, no memory), the program's own
  // faults do it. Not asked again for the same.
  madvise(start + *done, wanted - *done, MADV_POPULATE_READ);
  *done = wanted;
}

// Chunk by chunk: the next one is there when the program has need of it.
void AllocateAhead::AdvanceNodes(uint64_t nodes) {
  constexpr uint64_t kMarginNodes = kMargin / sizeof(StackNode);
  while (nodes + kMarginNodes > nodes_done_) {
    uint64_t count = 0;
    char* const memory =
        image_->NodeMemory(static_cast<uint32_t>(nodes_done_), &count);
    if (memory == nullptr) return;
    // From a multiple of kStep on, since kMargin and all chunks are such.
    count = std::min(count, 2 * kMarginNodes);
    madvise(memory, count * sizeof(StackNode), MADV_POPULATE_READ);
    nodes_done_ += count;
  }
}

void AllocateAhead::Advance(uint64_t nodes) {
  AdvanceNodes(nodes);
  const uint32_t rings = image_->ring_count();
  if (rings_done_.size() < rings) rings_done_.resize(rings, 0);
  for (uint32_t i = 0; i < rings; ++i) {
    const uint64_t limit = uint64_t{8} * image_->ring_words(i);
    if (rings_done_[i] >= limit) continue;  // its first lap is over
    const uint64_t head = 8 * image_->ring(i)->head.load(std::memory_order_relaxed);
    if (head == 0) continue;  // nobody's yet: its owner announces itself in it
    Extend(reinterpret_cast<char*>(image_->ring_data(i)), head + kMargin, limit,
           &rings_done_[i]);
  }
}

}  // namespace mallogram
