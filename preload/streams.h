// Streams: a ring and the ThreadState that goes with it, taken by a thread (or by
// a signal handler that interrupts one) and handed on when the thread ends.
#pragma once

#include <cstdint>

#include "preload/recorder.h"

namespace mallogram {

// First page of the wiped-on-fork mapping that also holds the first ThreadStates.
struct ForkPage {
  uint32_t armed;  // this process has set up its recording; wiped in its children
};
// nullptr: neither this process nor one that forked it has had a stream.
[[gnu::visibility("hidden")]] extern ForkPage* g_fork_page;

// A process begins: none of its rings is taken.
void ForgetStreams();
// Rings and their states. False: there can't be more now.
bool MakeChunk(int chunk);
// Takes a free ring (and the state that goes with it). nullptr: none left.
ThreadState* TakeState();
// Makes `s` the calling thread's: announces the new owner to the collector.
void OpenStream(ThreadState* s);
// Frees the ring of `s`, and those of its nested states, for other threads.
void CloseStream(ThreadState* s);

}  // namespace mallogram
