// Private memory of the library: tables, memos, whatever is not in the image.
//
// Small pieces are cut from a reserve that was mapped before; a new reserve, or a
// mapping of its own for a large piece, is made only while system calls may be
// (sandbox.h). Pieces of a reserve are never reused: what grows doubles, so half of
// it is wasted at most.
//
// Lock-free; may be called in signal handlers. A forked child inherits all of it.
#pragma once

#include <cstddef>

namespace mallogram {

// Zeroed memory, aligned to 64 bytes; nullptr: there is none.
void* TakeMemory(size_t bytes);
// Back to the system, if it was a mapping of its own.
void GiveMemory(void* p, size_t bytes);
// Maps a reserve of so many bytes at least. False: no memory.
bool ReserveMemory(size_t bytes);

}  // namespace mallogram
