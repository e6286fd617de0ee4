// The program as the launcher's child: started as if a shell had started it, waited
// for as if the launcher were not there.
//
// Nothing of the program's is touched: descriptors (also closed ones), process
// group, terminal, signal mask and dispositions, umask, working directory. Signals
// that are sent to the launcher alone reach the program; what the terminal sends to
// the whole group, the program has already got. If the program stops, the launcher
// stops too, so that the shell's job control works.
//
// Its resource limits are the program's, not ours: we raise our own and give it
// back the ones that were there.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/collector/resource_limits.h"

namespace mallogram {

// The collector that was forked for the program.
struct CollectorProcess {
  pid_t pid = 0;
  int control_fd = -1;
  std::vector<int> listen_fds;  // its sockets; we look after them if it dies
  int words_fd = -1;            // what it said last: record_last_words.h
  int wait_status = -1;         // how it ended; -1: it is not known to have
};

// The state that this process had when it was started and that the program is to
// get. Made once, before anything is opened.
class Launch {
 public:
  // Blocks all signals, makes sure that none of our descriptors will be 0, 1 or 2,
  // takes back an inherited "ignore" of SIGCHLD for ourselves, and raises our
  // limits.
  Launch();

  // Forks and executes; returns the pid, which the child has told the collector
  // through `control_fd` before anything of the program ran. Error: exec failed;
  // code NotFound or PermissionDenied, as a shell tells them apart; or
  // ResourceExhausted: there was no process to be had.
  absl::StatusOr<pid_t> Start(const std::string& path, char* const* argv,
                              const std::vector<std::string>& environment,
                              int control_fd);

  // Becomes the program, which then is not recorded: where a limit leaves no room
  // for a collector, or for a second process. Allocates nothing. Returns its exit
  // status if it can't be executed.
  int Become(char* const* argv) const;

  // The limits that the program has.
  const ResourceLimits& limits() const { return limits_; }

  // Gives up what the launcher does not need while it waits: stdin and stdout, so
  // that the program alone decides when its pipes end, and every other descriptor
  // but stderr and those of `collector`.
  static void LetGo(const CollectorProcess& collector);

  // Waits for the program's end; returns its wait status. Tells the collector of
  // stops; if it dies, notes how and lets nobody wait for it.
  static int Wait(pid_t program, CollectorProcess* collector);

  // Ends this process as the program ended: with its exit status, or by the same
  // signal (without a core file). `status` from Wait.
  [[noreturn]] static void EndLike(int status);

 private:
  void GiveBack() const;
  static void ForgetTooLarge();

  const ResourceLimits limits_;
  sigset_t mask_;
  struct sigaction child_action_, too_large_action_;
  // The kernel's struct sched_attr; scheduling that a fork would reset.
  alignas(8) char scheduling_[56] = {};
  int nice_ = 0;
};

}  // namespace mallogram
