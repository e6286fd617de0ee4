// The verb `fit`: growth laws of recordings at several sizes, or of a table.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

std::string FitHelp();
absl::StatusOr<int> RunFit(Arguments arguments);

}  // namespace mallogram
