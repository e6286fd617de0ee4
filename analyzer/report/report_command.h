// The verbs `report` and `info`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mallogram {

// Directories stand for the traces in them.
absl::StatusOr<std::vector<std::string>> FindTraces(
    const std::vector<std::string>& paths);

// argv[0] is the verb. InvalidArgument: a mistake in the command line. Prints
// the result on standard output.
absl::Status RunReport(int argc, char** argv);
absl::Status RunInfoVerb(int argc, char** argv);

}  // namespace mallogram
