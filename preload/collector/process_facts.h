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

struct ProcessStatus {
  uint64_t peak_rss_bytes = 0;  // the kernel's own high-water mark; 0: not known
  uint64_t filters = 0;         // seccomp filters of the main thread
};

// Memory and state of another process; keeps the files of its /proc open, so that
// each reading is one system call and a reused pid is never taken for it.
class StatusMeter {
 public:
  explicit StatusMeter(pid_t pid);
  ~StatusMeter();
  StatusMeter(const StatusMeter&) = delete;
  StatusMeter& operator=(const StatusMeter&) = delete;

  uint64_t ReadRss();  // now; 0: not known
  ProcessStatus ReadStatus();

 private:
  int statm_fd_, status_fd_;
};

}  // namespace mallogram
