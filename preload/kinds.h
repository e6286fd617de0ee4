// Kinds of blocks: by which family of functions a block was allocated, and by which
// it is freed. Recorded where mismatches are looked for (ImageHeader.mismatches).
//
// A kind follows its allocation in the thread's ring, a free's note precedes its
// kFree: nothing of another thread can come between, since the block is not the
// program's yet, or no longer. So a free costs a walk and five words more, an
// operator new three; without mismatches nothing is added to either.
#pragma once

#include "preload/block_kind.h"
#include "preload/recorder.h"

namespace mallogram {

// How an operator was called. alignment 0: one that takes none.
struct HowFreed {
  BlockKind kind;
  bool told_size = false;
  size_t size = 0, alignment = 0;
};

// The block that was recorded last is of this kind. REQUIRES: mismatches.
void NoteKind(const void* p, BlockKind kind, size_t size, size_t alignment);
// The free that is recorded next was called like this. REQUIRES: mismatches.
void NoteFree(const void* p, const HowFreed& how, const CallerState& caller);

// The block that an operator delete of this thread is about to free: whatever it
// calls to do so has been noted.
[[gnu::visibility("hidden")]] extern thread_local constinit const void* t_deleting;

}  // namespace mallogram
