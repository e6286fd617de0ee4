// Facts about other processes: who is at the other end of a socket, does a process
// still live, how did it end, what does it run. Everything by pidfd where the
// kernel has them, so that a reused pid is never mistaken for the old process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "preload/trace/summary.h"

namespace mallogram {

// The whole of a file, as far as it can be read.
std::string ReadFile(const std::string& path);

// Makes the calling process, which must have one thread, fit to be a collector: a
// session of its own (so ^C at the terminal is the program's alone), every signal
// blocked, /dev/null as stdin, stdout and stderr, no other descriptor but
// `keep_fds` (3 or higher). Nobody then waits in vain for the end of a pipe that we
// hold.
void BecomeCollector(std::vector<int> keep_fds);
// Every descriptor from 3 on but these.
void CloseAllBut(std::vector<int> keep_fds);

// The process that connected a Unix socket, as this process sees it.
struct Peer {
  pid_t pid = 0;      // 0: not known (another pid namespace)
  int pidfd = -1;     // readable when the process has ended; -1: see `gone`
  bool gone = false;  // it had ended and was reaped before it could be opened
};
Peer PeerOf(int socket);

// 0: it has none here, or is gone.
pid_t ParentOf(pid_t pid);

// What tells one process and program from the next with the same pid; 0: it has
// ended, or may not be looked at.
struct ProcessMarks {
  uint64_t start = 0;      // when it was forked, in ticks since the boot
  uint64_t arguments = 0;  // where its arguments lie: elsewhere after every exec
};
ProcessMarks MarksOf(pid_t pid);

// For processes without a pidfd (kernels before 5.3): polled.
bool ProcessExists(pid_t pid);

// How an ended process ended, for a process that is not ours to wait for: before
// Linux 6.15 known only while its parent has not reaped it. REQUIRES: pidfd is
// readable or -1.
struct ProcessEnd {
  EndReason reason = EndReason::kVanished;
  int64_t detail = -1;
};
ProcessEnd EndOf(pid_t pid, int pidfd);
// The same from a waitpid status.
ProcessEnd EndFromWaitStatus(int status);

// True if every thread is stopped by job control ("T" in /proc/PID/stat).
bool IsStopped(pid_t pid);

// Which program a process runs: changes only by exec.
struct Executable {
  std::string path;  // /proc/PID/exe; empty if it cannot be read
  uint64_t device = 0, inode = 0;

  bool operator==(const Executable& other) const {
    return device == other.device && inode == other.inode;
  }
};
Executable ExecutableOf(pid_t pid);
// False only if it is certain that the process does not map the file with that
// inode and name any more: an exec has dropped it.
bool MayMap(pid_t pid, uint64_t inode, absl::string_view name);

// The value that the variable had when the process was started; empty if it had
// none or may not be read.
std::string VariableOf(pid_t pid, absl::string_view name);
// All processes that were started with (or forked from one that had) this entry in
// their environment, as far as this user may look.
std::vector<pid_t> ProcessesWithVariable(absl::string_view entry);
// A descriptor that becomes readable when the process ends; -1: no such process, or
// no such system call.
int OpenProcess(pid_t pid);

// The name the kernel keeps for it (15 bytes), readable longer than the path.
std::string CommandNameOf(pid_t pid);

}  // namespace mallogram
