// The recorder off its hot path (recorder.h), file by file.
#pragma once

#include "preload/recorder.h"

namespace mallogram {

// ---- recorder.cc: the process's recording, from its start to its end ---------

// Starts recording if it has not started yet: the library's constructor.
void StartRecording();
// Tells the collector that the process ends now.
void NoteExit();
// Final: no thread is recorded any more. `reason` goes to the report.
void StopRecording(const char* reason);
// Whether there is an image, and it is this process's: false in a forked child
// until it has set up its own, and where it could not. Everything that looks into
// the image outside of an event asks first.
bool IsRecorded();
// The image, if this process is recorded and the caller runs in it, not in a vfork
// child of it; else nullptr.
ImageHeader* OwnImage();
// Around a vfork, or a clone that is one: the child runs in this thread's memory
// until it is gone, and must not speak for its parent.
[[gnu::visibility("hidden")]] extern thread_local constinit uint32_t t_lent;
// The TSC may not be read any more, or again.
void ForbidTsc();
void AllowTsc();

// ---- streams.cc: rings and states of threads ---------------------------------

// Maps rings and states for some more threads.
void ReserveRings();
// The thread's figures go where the collector reads them.
void CopyStats(ThreadState* s);
// Counts an event, and the bytes of its block, that no ring was left for.
void CountRingless(uint64_t bytes);

// ---- record_slowly.cc: what an event costs once in a while -------------------

// Puts an extended record into the ring of `s`, which was entered. `stamp`: with a
// stamp of its own, for records that stand for themselves. Words beyond the
// record's length (WordsOf) are left out.
void RecordExtended(ThreadState* s, bool stamp, uint64_t word0, uint64_t word1,
                    uint64_t word2 = 0, uint64_t word3 = 0);
// Room for `words`: the part that waits or drops. False: drop; the loss is counted
// unless the record is a `block`, which has a stack to be counted at.
bool MakeRoom(ThreadState* s, uint32_t words, uint32_t keep_free, bool block);
// Counts a dropped block at its stack, until FlushLost.
void CountLost(ThreadState* s, uint32_t stack, uint64_t bytes);
// Puts what CountLost has counted into the ring, as far as there is room.
void FlushLost(ThreadState* s);

// ---- sample_block.cc: --sample -----------------------------------------------

// Before the first record of a process; false: no memory for it.
bool SetUpSampling(uint64_t interval, uint64_t seed);
// Before the first record of a thread, the `stream`-th of its process.
void StartDraws(ThreadState* s, uint64_t stream);

// ---- kinds.cc ----------------------------------------------------------------

// Whether kinds are noted (kinds.h). REQUIRES: after SetUpSampling.
void SetUpKinds(bool mismatches);

// ---- pause.cc: threads that ask not to be recorded ---------------------------

// How many pauses the calling thread is in.
[[gnu::visibility("hidden")]] extern thread_local constinit uint32_t t_pauses;
// Pauses nest. A thread's nested states (signal handlers) pause with it.
void PauseThread();
void ResumeThread();

}  // namespace mallogram
