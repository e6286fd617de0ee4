// Stamps of events: TSC ticks where the TSC is invariant, else CLOCK_MONOTONIC.
#pragma once

#include <cpuid.h>
#include <x86intrin.h>

#include <cstdint>

#include "preload/sys.h"

namespace mallogram {

// True if the TSC runs at a constant rate in every power state (CPUID
// 80000007h, EDX bit 8). Only then does it order events of different CPUs.
inline bool TscIsInvariant() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

// Some twenty cycles with the TSC; a system call without.
inline uint64_t ReadStamp(bool tsc) {
  return tsc ? __rdtsc() : sys::ClockNs(CLOCK_MONOTONIC);
}

}  // namespace mallogram
