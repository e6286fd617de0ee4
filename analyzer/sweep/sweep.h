// Runs of a program at several input sizes, each in a fresh process under
// `mallogram record`, into a directory that can be resumed.
//
// The directory holds sweep.json (the manifest: what was asked for, what has been
// run) and a subdirectory a run, named by its parameters: n=10,rep=2/ with
// run.json, stdout, stderr and a recording of each process. A run counts as done
// once its run.json is there; it is written last, and renamed into place.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram {

struct SweepPlan {
  std::string directory;  // made if it is not there
  // {n} (the parameter's name), {rep}, {dir} (the run's directory) and the names of
  // `constants` in braces are replaced; all other braces stay.
  std::vector<std::string> command;
  std::string parameter = "n";  // the one that is swept
  // Its values, in any order: "5", "10k" (10000), "1..1000:7" (seven sizes, each
  // about the same factor above the last).
  std::vector<std::string> sizes;
  std::map<std::string, std::string> constants;
  std::string input;  // a file for standard input, {n} is replaced; empty: none
  uint32_t reps = 1;
  bool warm_up =
      false;  // one run of the smallest size before, which is thrown away
  uint32_t jobs = 1;
  bool allow_failure = false;  // exit statuses other than 0 are no failures
  std::vector<std::string> record_options;  // passed on to record
  std::string working_directory;            // of the runs; empty: ours
};

struct SweepRun {
  std::string size;  // what {n} was replaced with
  double n = 0;
  uint32_t rep = 1;
  std::string directory;           // with stdout, stderr and the recordings
  std::vector<std::string> files;  // recordings, that of the program itself first
  int exit_status = 0;             // of the program
  double seconds = 0;              // wall time under the recorder
  bool resumed = false;            // was there already
};

struct SweepSettings {
  bool quiet = false;    // no progress bar
  bool verbose = false;  // a line a run on standard error instead
  bool fresh = false;    // throws away what an earlier sweep left in the directory
  // Not null: runs that fail are put here, a line each, and the others go on.
  std::vector<std::string>* failures = nullptr;
};

// Runs what has not been run yet, smallest sizes first and replicate by replicate,
// and returns all runs by size and replicate. Errors, one line each, after which
// what was done stays:
//   InvalidArgument     the plan makes no sense, or another one is in the directory
//   Cancelled           Interrupted (exit.h): SIGINT, SIGTERM or SIGHUP came
//   anything else       a run cannot be started or fails (with the last line of its
//                       stderr), or the directory cannot be written
// Must be called in the main thread; handles signals while it runs.
absl::StatusOr<std::vector<SweepRun>> RunSweep(const SweepPlan& plan,
                                               const SweepSettings& settings);

// The plan and the runs of a directory that RunSweep has filled, as far as it got.
struct Sweep {
  SweepPlan plan;  // sizes as plain numbers, rising
  std::vector<SweepRun> runs;
  std::string started;                         // ISO 8601
  std::map<std::string, std::string> machine;  // host, kernel, cpu, version
};
absl::StatusOr<Sweep> ReadSweep(absl::string_view directory);

}  // namespace mallogram
