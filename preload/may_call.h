// Whether a thread of the program may make a system call of ours.
//
// A program that sandboxes itself may be killed for any call that its filter does
// not know (getpid is enough), so after the library has started none is made on the
// way of an event, at a thread's start or at the process's end: memory comes from
// what was mapped before (own_memory.h), times from the TSC, thread ids from the C
// library's own record. Two things remain for which there is no other way: more
// memory when the reserve is used up, and sleep while a ring is full. Both only
// while no seccomp filter is known to stand (sandbox.h).
#pragma once

#include <atomic>
#include <cstdint>

namespace mallogram {

// A filter was seen as it was installed.
[[gnu::visibility("hidden")]] extern std::atomic<bool> g_filter_seen;
// The image's word in which the collector says that it has found one (ImageHeader.
// filtered); nullptr: there is no image.
[[gnu::visibility("hidden")]] extern std::atomic<const std::atomic<uint32_t>*>
    g_filter_found;

// Cost: three loads.
inline bool MayCall() {
  if (g_filter_seen.load(std::memory_order_relaxed)) return false;
  const std::atomic<uint32_t>* const found =
      g_filter_found.load(std::memory_order_relaxed);
  return found == nullptr || found->load(std::memory_order_relaxed) == 0;
}

}  // namespace mallogram
