// The signals of a process that waits for runs: received here, not by handlers.
#pragma once

#include <signal.h>

namespace mallogram {

// While it lives, SIGINT, SIGTERM and SIGHUP (unless they were ignored: nohup) and
// SIGCHLD wait to be taken by Wait(). REQUIRES: a process with one thread.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // The next signal; 0: none came for `milliseconds`. `from_terminal`: the kernel
  // has sent it to the whole process group.
  int Wait(int milliseconds, bool* from_terminal);

  const sigset_t& old_mask() const { return old_mask_; }  // for children

 private:
  sigset_t watched_, old_mask_;
  struct sigaction old_child_;
};

}  // namespace mallogram
