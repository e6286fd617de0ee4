// A sweep's or any recordings' growth laws, from files to standard output: what the
// verbs `fit` and `sweep` share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/options.h"
#include "analyzer/scaling/runs_builder.h"
#include "analyzer/scaling/scaling.h"

namespace mallogram {

struct ScalingOptions {
  ScalingRequest request;  // without sizes to predict: ten times the largest
  SiteIdentity identity = SiteIdentity::kStack;
  std::string debug_dir;
  Filters filters;
  std::string output;  // a file; empty: standard output
  // Call sites in the table, but none below a thousandth; set by --top: 0: all.
  std::optional<uint64_t> top;
  size_t depth = 2;  // callers of each; 0: none
  bool json = false;
  bool full_names = false;
  std::string parameter = "n";  // what n is called
};

// --by --sites --predict --budget --top --depth --full-names -o --json --debug-dir,
// those of the terminal, and filters.
std::vector<Option> ScalingRows(ScalingOptions* options);

// Reads, analyses and prints. REQUIRES: at least one run.
absl::Status ReportScaling(const std::vector<RunFiles>& runs,
                           const ScalingOptions& options);

}  // namespace mallogram
