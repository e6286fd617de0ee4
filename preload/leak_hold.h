// What the library says to the collector for leak checks: "I am about to end, hold
// me there", "look at me now", "let go of me". One HoldRequest of the image each,
// the doorbell, and a bounded wait for the answer, which ends at once if the
// collector is dead. No system call but futex.
//
// The collector looks at its memory while it waits for the answer, and then goes
// away: nobody traces it when it goes on to its end (collector/tracees.h).
//
// Callable in signal handlers. Says nothing for a vfork child, which shares its
// parent's memory, or where recording is off.
#pragma once

#include "preload/caller_state.h"

namespace mallogram {

// Before the process ends by a call of `caller`'s (abort, _exit); nullptr: by
// exit(), from a destructor. What lies below that frame is dead, and full of old
// pointers: the scan starts there. `wait_status`: how it will end, as from waitpid.
void HoldAtEnd(const CallerState* caller, int wait_status);

// A leak check now; returns when it is done. False: there was none.
// REQUIRES: called (transitively) from the function whose caller is `caller`.
bool RequestLeakCheckNow(const CallerState& caller);

// Has the collector stop tracing a process, as it does for life in full mode; 0:
// this one.
void LetGoOfTracer(int pid);

}  // namespace mallogram
