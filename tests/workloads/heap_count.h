// Counts what operator new really gives and takes back, to hold a workload's
// accounts against. Include in one file of a test program only: it replaces the
// operators.

#ifndef TESTS_WORKLOADS_HEAP_COUNT_H_
#define TESTS_WORKLOADS_HEAP_COUNT_H_

#include <cstdint>
#include <cstdlib>
#include <new>

namespace heap_count {

// Blocks that are live, of those asked for while `counting`.
inline bool counting = false;
inline int64_t live_blocks = 0;
inline int64_t live_bytes = 0;

// The size is kept in front; 16 bytes keep the alignment.
inline void* Allocate(size_t size) {
  auto* head = static_cast<int64_t*>(std::malloc(size + 16));
  if (head == nullptr) throw std::bad_alloc();
  head[0] = static_cast<int64_t>(size);
  head[1] = counting ? 1 : 0;
  if (counting) {
    ++live_blocks;
    live_bytes += head[0];
  }
  return head + 2;
}

inline void Free(void* block) {
  if (block == nullptr) return;
  int64_t* head = static_cast<int64_t*>(block) - 2;
  if (head[1] == 1) {
    --live_blocks;
    live_bytes -= head[0];
  }
  std::free(head);
}

}  // namespace heap_count

void* operator new(size_t size) { return heap_count::Allocate(size); }
void operator delete(void* block) noexcept { heap_count::Free(block); }
void operator delete(void* block, size_t) noexcept { heap_count::Free(block); }

#endif  // TESTS_WORKLOADS_HEAP_COUNT_H_
