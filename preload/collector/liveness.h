// Tells traced programs that this thread lives, by the kernel's robust futex
// list: the word at the start of ImageHeader.collector_alive holds this thread's
// id, and when the thread dies, however it dies, the kernel sets FUTEX_OWNER_DIED
// in it.
//
// Why not pthread_mutex_lock: glibc links robust mutexes through pointers that lie
// in the mutexes themselves, that is, in memory that the traced program can write;
// one stray store there and unlocking would follow it. Here the links lie in
// private memory, at a constant distance below the futex words: each image is
// mapped directly behind a private page.
//
// The calling thread must not lock robust pthread mutexes itself (nothing in the
// collector does). Not thread-safe: one thread marks and unmarks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "preload/image.h"

namespace mallogram {

// Maps `bytes` of `fd`, shared and writable, directly behind a private page.
// UnmapImage takes both away.
absl::StatusOr<void*> MapImage(int fd, size_t bytes);
void UnmapImage(void* base, size_t bytes);

// REQUIRES: `header` lies at the start of a MapImage mapping.
void MarkAlive(ImageHeader* header);
// Tells the program that nobody listens any more.
void MarkDead(ImageHeader* header);

}  // namespace mallogram
