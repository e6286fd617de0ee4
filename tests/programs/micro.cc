// The micro benchmark: malloc and free in pairs, at a given call depth.
//
//   micro PAIRS [THREADS [DEPTH]]
//
// Prints nanoseconds a pair and thread, by the wall clock. Each level of the depth
// is a function of its own, with a frame of its own size; sizes vary a little, so
// that neither the allocator's nor a tracer's answer is always the same.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/in_threads.h"

namespace {

constexpr int kMaxDepth = 64;

[[gnu::noinline]] void Pairs(uint64_t pairs) {
  for (uint64_t i = 0; i < pairs; ++i) {
    void* p = malloc(16 + (i & 15) * 16);
    asm volatile("" : "+r"(p) : : "memory");  // the pair can't be elided
    free(p);
  }
}

template <int kLevel>
[[gnu::noinline]] void Descend(int depth, uint64_t pairs) {
  volatile char frame[16 + kLevel % 5 * 24];
  frame[0] = 0;
  if constexpr (kLevel + 1 < kMaxDepth) {
    if (depth > 1) {
      Descend<kLevel + 1>(depth - 1, pairs);
      frame[0] = 1;
      return;
    }
  }
  Pairs(pairs);
  frame[0] = 1;
}

uint64_t pairs = 0;
int depth = 20;

void* Work(void*) {
  Descend<0>(depth, pairs);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  pairs = strtoull(argv[1], nullptr, 10);
  const int threads = argc > 2 ? atoi(argv[2]) : 1;
  depth = argc > 3 ? atoi(argv[3]) : 20;
  if (threads < 1 || threads > kMaxThreads || depth < 1 || depth > kMaxDepth)
    return 2;
  printf("%.1f ns/pair\n",
         RunInThreads(threads, Work) / static_cast<double>(pairs));
  return 0;
}
