// What /proc tells about a traced process while it lives. Everything may fail at
// any time, since the process may be gone: the results are then empty or zero.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "preload/trace/records.h"

namespace mallogram {

// Arguments that each end with a NUL.
std::vector<std::string> SplitArguments(std::string arguments);

// Host, CPU, executable, arguments, directory.
void FillRunInfo(pid_t pid, RunInfo* run);

std::string ThreadName(pid_t pid, int64_t tid);
// False only if it is certain that the thread has ended.
bool ThreadMayLive(pid_t pid, int64_t tid);

// Resident memory of this process.
uint64_t OwnRssBytes();

// Resident memory of another process; keeps /proc/PID/statm open, so that each
// reading is one system call and a reused pid is never taken for it.
class RssMeter {
 public:
  explicit RssMeter(pid_t pid);
  ~RssMeter();
  RssMeter(const RssMeter&) = delete;
  RssMeter& operator=(const RssMeter&) = delete;

  uint64_t Read();      // now
  uint64_t ReadPeak();  // VmHWM: the kernel's own high-water mark

 private:
  int statm_fd_, status_fd_;
};

}  // namespace mallogram
