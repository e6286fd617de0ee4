// sweep.json and run.json.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "analyzer/command/files.h"
#include "analyzer/sweep/plan.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {

// `sweep`, with its runs as far as they are known. Bytes that are no UTF-8 become
// U+FFFD.
absl::Status WriteManifest(const Sweep& sweep);

// The plan, date and machine of sweep.json; no runs. NotFound: there is none.
absl::StatusOr<Sweep> ReadManifest(const std::string& directory);

// A run that is done.
struct StoredRun {
  SweepRun run;
  std::vector<InputFile> inputs;  // those that the run did not change
};

absl::Status WriteRun(const SweepPlan& plan, const StoredRun& stored);

// NotFound: it is not done, or its run.json cannot be made sense of.
absl::StatusOr<StoredRun> ReadRun(const SweepPlan& plan, const RunKey& key);

// The plan as it would be read back from its manifest; for comparisons.
SweepPlan AsStored(const SweepPlan& plan);

// Host, kernel, CPU, memory and our version, now.
std::map<std::string, std::string> DescribeMachine();

// Now, local time with its offset from UTC: "2026-11-21T17:24:13+0100".
std::string IsoTime();

}  // namespace mallogram
