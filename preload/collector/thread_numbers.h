// A process in another pid namespace says other thread ids than we see: which of
// its threads does it mean? /proc tells both numbers of each (NSpid).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace mallogram {

// The numbers of a process or thread ("PID" or "PID/task/TID" in /proc), from our
// namespace down to its own. One, if they are the same namespace; none, if it is
// gone.
std::vector<pid_t> NumbersOf(const char* in_proc);

class ThreadNumbers {
 public:
  explicit ThreadNumbers(pid_t pid);

  // Our number of the thread that calls itself `tid`; 0: no such thread is alive.
  // Where both are the same, nothing is looked up.
  pid_t Here(int64_t tid);

 private:
  bool Is(pid_t here, int64_t tid) const;

  const pid_t pid_;
  bool nested_;
  std::unordered_map<int64_t, pid_t> here_;  // as last seen
};

}  // namespace mallogram
