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

void AllocateAhead::Advance(uint64_t nodes) {
  const uint64_t node_bytes = nodes * sizeof(StackNode);
  if (node_bytes + kMargin > nodes_done_) {
    Extend(image_->nodes_memory(), node_bytes + kMargin + kMargin,
           image_->max_nodes() * sizeof(StackNode), &nodes_done_);
  }
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
