// For the entry points: exporting, and the caller's registers.
#pragma once

#include "preload/unwinder/frame_step.h"

#define MALLOGRAM_EXPORT extern "C" __attribute__((visibility("default")))

// The caller's registers after our return. Naming the frame address makes the
// compiler set up rbp in the entry point, so that the caller's rbp lies at [rbp].
#define CALLER_STATE()                                                 \
  mallogram::CallerState {                                             \
    .pc = reinterpret_cast<uint64_t>(__builtin_return_address(0)),     \
    .sp = reinterpret_cast<uint64_t>(__builtin_frame_address(0)) + 16, \
    .bp = *static_cast<const uint64_t*>(__builtin_frame_address(0))    \
  }
