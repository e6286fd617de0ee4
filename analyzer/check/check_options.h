// The command line of `mallogram check`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "analyzer/check/judge.h"
#include "analyzer/command/options.h"

namespace mallogram {

std::string CheckHelp();

struct CheckOptions {
  Limits limits;
  Arguments program;                      // with its arguments
  std::vector<std::string> suppressions;  // files
  std::string junit_file;
  std::string recording;  // where it goes; empty: nowhere
};

absl::StatusOr<CheckOptions> ParseCheckOptions(Arguments arguments);

}  // namespace mallogram
