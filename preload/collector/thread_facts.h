// What /proc says about threads of other processes. Every answer may be old by the
// time it is read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace mallogram {

std::vector<pid_t> ThreadsOf(pid_t pid);
// The process that the thread belongs to; 0: no such thread.
pid_t ProcessOfThread(pid_t tid);
// The process that traces it; 0: none.
pid_t TracerOf(pid_t tid);
// True if it has still to take a SIGKILL: of somebody's, or of its process's end.
bool IsBeingKilled(pid_t tid);
// True if there is no such thread, or if it has ended while others of its process
// have not, as a main thread that called pthread_exit.
bool HasEnded(pid_t tid);
// Signals of a thread and, pending ones, of its process: bit N - 1 stands for N.
struct SignalSets {
  uint64_t pending = 0, ignored = 0, caught = 0;
};
SignalSets SignalsOf(pid_t tid);
// Bytes in memory; 0: not known.
uint64_t ResidentBytes(pid_t pid);
// Where the main thread's stack began; 0: not to be known.
uint64_t StackStart(pid_t tid);
// True if it is in an execve system call.
bool Executes(pid_t tid);

}  // namespace mallogram
