// For programs that measure themselves: the same work in some threads at once.
#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

inline constexpr int kMaxThreads = 64;

// Runs `work(0)` … `work(threads - 1)`, one of them in this thread; nanoseconds by
// the wall clock. REQUIRES: 1 <= threads <= kMaxThreads.
inline double RunInThreads(int threads, void* (*work)(void* number)) {
  const auto now = [] {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  pthread_t ids[kMaxThreads];
  for (long i = 1; i < threads; ++i) {
    if (pthread_create(&ids[i], nullptr, work, reinterpret_cast<void*>(i)) != 0)
      abort();
  }
  work(nullptr);
  for (int i = 1; i < threads; ++i) pthread_join(ids[i], nullptr);
  return now() - start;
}
