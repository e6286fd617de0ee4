// Private memory of the library: tables, memos, whatever is not in the image.
//
// Small pieces are cut from a reserve that was mapped before. A new reserve, or a
// separate mapping for a large piece, is made only while system calls are allowed
// (may_call.h). Pieces of a reserve are never reused: tables grow by doubling, so
// at most half of a reserve is wasted.
//
// Lock-free; may be called in signal handlers. A forked child inherits all of it.
#pragma once

#include <cstddef>

namespace mallogram {

// Zeroed memory, aligned to 64 bytes; nullptr: there is none.
void* TakeMemory(size_t bytes);
// Back to the system, if the piece is a separate mapping.
void GiveMemory(void* p, size_t bytes);
// Maps a reserve of at least `bytes`. False: no memory.
bool ReserveMemory(size_t bytes);

}  // namespace mallogram
