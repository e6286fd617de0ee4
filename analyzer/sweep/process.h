// One run as a child process: started, stopped, judged.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "analyzer/sweep/plan.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {

// Starts `mallogram record` (this very executable) with the run's command; its
// standard streams are the input and files of the run's directory, which must be
// there. The child gets the signal mask `mask`. It is in our process group, so that
// the terminal's ^C and ^Z reach it as they reach us, and gets SIGTERM, which it
// passes on to the program, if we die without having waited for it.
absl::StatusOr<pid_t> StartRun(const SweepPlan& plan, const RunKey& key,
                               const sigset_t& mask);

// The processes of the program that `recorder` runs: its descendants but the
// collector, which ends by itself. Those that have become daemons are not found.
std::set<pid_t> ProgramProcesses(pid_t recorder);

struct RunEnd {
  int exit_status = 0;   // as a shell tells it: 128 + signal
  absl::Status failure;  // one line for people
  // What failed is not this run but its start, which no other run will survive:
  // there is no such program, it is static …
  bool hopeless = false;
};

// What a run has come to, by its wait status and what is in its directory.
RunEnd JudgeRun(const SweepPlan& plan, const RunKey& key, int wait_status);

}  // namespace mallogram
