// A std::list filled and emptied by every thread, the shape that MemHawk publishes
// figures of (tests/bench_allocs.cpp there, 2^22 nodes a thread): one call site, a
// shallow stack, many live blocks, all of them freed by the thread that made them.
//
//   linked_list NODES [THREADS]
//
// Prints nanoseconds an operation (a node made, or a node freed) and thread.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <list>

#include "tests/programs/in_threads.h"

namespace {

uint64_t nodes = 0;

[[gnu::noinline]] void* Work(void*) {
  std::list<uint64_t> list;
  for (uint64_t i = 0; i < nodes; ++i) list.emplace_back(i);
  while (!list.empty()) list.pop_back();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  nodes = strtoull(argv[1], nullptr, 10);
  const int threads = argc > 2 ? atoi(argv[2]) : 1;
  if (nodes < 1 || threads < 1 || threads > kMaxThreads) return 2;
  printf("%.1f ns/operation\n",
         RunInThreads(threads, Work) / (2 * static_cast<double>(nodes)));
  return 0;
}
