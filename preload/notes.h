// What is said of blocks beside their being allocated and freed: their kind and
// that of their frees (ImageHeader.mismatches), and what the program itself has to
// say (client_table.cc).
//
// A kind follows its allocation in the thread's ring, a free's note precedes its
// kFree: nothing of another thread can come between, since the block is not the
// program's yet, or no longer. So a free costs a walk and five words more, an
// operator new three; without mismatches nothing is added to either.
#pragma once

#include "preload/block_kind.h"
#include "preload/recorder.h"

namespace mallogram {

// Puts an extended record into the ring of `s`, which was entered. `stamp`: with a
// stamp of its own, for those that stand for themselves.
void RecordExtended(ThreadState* s, bool stamp, uint64_t word0, uint64_t word1,
                    uint64_t word2 = 0, uint64_t word3 = 0);

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
