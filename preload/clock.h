// Stamps of events: TSC ticks where the TSC is invariant, else CLOCK_MONOTONIC.
#pragma once

#include <cpuid.h>
#include <x86intrin.h>

#include <atomic>
#include <cstdint>

#include "preload/sys.h"

namespace mallogram {

// True if the TSC runs at a constant rate in every power state (CPUID
// 80000007h, EDX bit 8). Only then does it order events of different CPUs.
inline bool TscIsInvariant() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

// The C library's clock_gettime, which asks the kernel's page of code (vDSO)
// instead of the kernel. nullptr: a system call it is.
using ClockFunction = int (*)(clockid_t, timespec*);
inline constinit ClockFunction g_clock_gettime = nullptr;

// Where the program has forbidden itself the TSC (SECCOMP_MODE_STRICT and
// PR_SET_TSC make reading it fatal): the last stamp that was read, counted on, so
// that stamps stay in order. 0: not forbidden.
inline constinit std::atomic<uint64_t> g_frozen_stamp{0};

// REQUIRES: not forbidden. Some twenty cycles.
inline uint64_t ReadTsc() { return __rdtsc(); }

inline uint64_t ReadStamp(bool tsc) {
  if (g_frozen_stamp.load(std::memory_order_relaxed) != 0) {
    return g_frozen_stamp.fetch_add(1, std::memory_order_relaxed);
  }
  if (tsc) return ReadTsc();
  timespec now{};
  if (g_clock_gettime == nullptr || g_clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
    return sys::ClockNs(CLOCK_MONOTONIC);
  }
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace mallogram
