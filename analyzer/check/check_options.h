// The command line of `mallogram check`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "analyzer/check/judge.h"

namespace mallogram {

extern const char kCheckHelp[];

struct CheckOptions {
  bool help = false;
  Limits limits;
  std::vector<char*> program;
  std::vector<std::string> suppressions;  // files
  std::string junit_file;
  std::string trace;  // where the recording goes; empty: nowhere
};

// Errors (InvalidArgument) are one line for the user.
absl::StatusOr<CheckOptions> ParseCheckOptions(absl::Span<char* const> arguments);

}  // namespace mallogram
