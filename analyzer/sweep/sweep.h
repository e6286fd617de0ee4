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
  std::string directory;             // made if it is not there
  std::vector<std::string> command;  // {n} and other names in braces are replaced
  std::string parameter = "n";       // the one that is swept
  std::vector<std::string> sizes;    // its values, as the user wrote them
  std::map<std::string, std::string> constants;  // further names in braces
  uint32_t reps = 1;
  bool warm_up = false;  // one run before the others, not recorded: page cache
  uint32_t jobs = 1;
  std::vector<std::string> record_options;  // passed on to record
  std::string working_directory;            // of the runs; empty: ours
};

struct SweepRun {
  std::string size;  // as written
  double n = 0;
  uint32_t rep = 1;
  std::string directory;           // with stdout, stderr and the recordings
  std::vector<std::string> files;  // recordings, that of the program itself first
  int exit_status = 0;             // as a shell tells it: 128 + signal
  double seconds = 0;              // wall time under the recorder
  bool resumed = false;            // was there already
};

// Runs what has not been run yet, smallest sizes first and replicate by replicate,
// and returns all runs by size and replicate. Errors: a run that cannot be started
// or that fails (with the last line of its stderr); what was done stays.
// Shows a progress bar, unless `quiet`.
absl::StatusOr<std::vector<SweepRun>> RunSweep(const SweepPlan& plan, bool quiet);

// The plan and the runs of a directory that RunSweep has filled, as far as it got.
struct Sweep {
  SweepPlan plan;
  std::vector<SweepRun> runs;
  std::string started;                         // ISO 8601
  std::map<std::string, std::string> machine;  // host, kernel, cpu, version
};
absl::StatusOr<Sweep> ReadSweep(absl::string_view directory);

}  // namespace mallogram
