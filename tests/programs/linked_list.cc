// A std::list filled and emptied by every thread, the shape that MemHawk publishes
// figures of (tests/bench_allocs.cpp there, 2^22 nodes a thread): one call site, a
// shallow stack, many live blocks, all of them freed by the thread that made them.
//
//   linked_list NODES [THREADS]
//
// Prints nanoseconds an operation (a node made, or a node freed) and thread.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <list>

namespace {

constexpr int kMaxThreads = 64;

uint64_t nodes = 0;

[[gnu::noinline]] void* Work(void*) {
  std::list<uint64_t> list;
  for (uint64_t i = 0; i < nodes; ++i) list.emplace_back(i);
  while (!list.empty()) list.pop_back();
  return nullptr;
}

double Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  nodes = strtoull(argv[1], nullptr, 10);
  const int threads = argc > 2 ? atoi(argv[2]) : 1;
  if (nodes < 1 || threads < 1 || threads > kMaxThreads) return 2;
  const double start = Now();
  pthread_t ids[kMaxThreads];
  for (int i = 1; i < threads; ++i) {
    if (pthread_create(&ids[i], nullptr, Work, nullptr) != 0) return 3;
  }
  Work(nullptr);
  for (int i = 1; i < threads; ++i) pthread_join(ids[i], nullptr);
  printf("%.1f ns/operation\n", (Now() - start) / (2 * static_cast<double>(nodes)));
  return 0;
}
