// The verb `diff`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

std::string DiffHelp();
absl::StatusOr<int> RunDiff(Arguments arguments);

}  // namespace mallogram
