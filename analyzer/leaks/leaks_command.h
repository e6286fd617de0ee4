// The verb `leaks`. Files that cannot be used among several are named on standard
// error as they come.
#pragma once

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"
#include "analyzer/leaks/options.h"

namespace mallogram {

// LeaksHelp() is beside the options.
absl::StatusOr<int> RunLeaks(Arguments arguments);

}  // namespace mallogram
