// Bounded waits for an answer of the collector's. No system call but futex, and
// none where a filter may forbid it (may_call.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/image.h"

namespace mallogram {

// Sleeps a slice of 20 ms while `word` is `value`, or until it is woken. *slept, 0
// at first, counts the slices; `slices` of them are the most, fewer while no
// collector has appeared. False: nothing more is to be hoped for. Interrupted
// sleeps do not count: a timer's signals must not end the wait.
bool WaitWhile(const ImageHeader& header, const std::atomic<uint32_t>& word,
               uint32_t value, int slices, int* slept);

// Full mode, at the start: until the collector traces the process, so that no early
// crash escapes it. Bounded by a second.
void AwaitTracer(const ImageHeader& header);

}  // namespace mallogram
