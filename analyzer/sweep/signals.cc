#include "analyzer/sweep/signals.h"

#include <initializer_list>

namespace mallogram {

SignalWatch::SignalWatch() {
  sigemptyset(&watched_);
  sigaddset(&watched_, SIGCHLD);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now;
    if (sigaction(number, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) {
      sigaddset(&watched_, number);
    }
  }
  sigprocmask(SIG_BLOCK, &watched_, &old_mask_);
  // Ignored, children could not be waited for.
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, &old_child_);
}

SignalWatch::~SignalWatch() {
  sigaction(SIGCHLD, &old_child_, nullptr);
  sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
}

int SignalWatch::Wait(int milliseconds, bool* from_terminal) {
  const timespec limit{milliseconds / 1000, milliseconds % 1000 * 1'000'000L};
  siginfo_t info;
  const int number = sigtimedwait(&watched_, &info, &limit);
  if (number <= 0) return 0;
  *from_terminal = info.si_code > 0;
  return number;
}

}  // namespace mallogram
