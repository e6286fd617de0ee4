// The verb `check`: a gate for CI.
#pragma once

#include "absl/status/statusor.h"
#include "analyzer/check/check_options.h"
#include "analyzer/command/options.h"

namespace mallogram {

// CheckHelp() is beside the options.
absl::StatusOr<int> RunCheck(Arguments arguments);

}  // namespace mallogram
