// The verbs `report` and `info`.
#pragma once

#include "absl/status/status.h"

namespace mallogram {

// argv[0] is the verb. InvalidArgument: a mistake in the command line. Prints
// the result on standard output.
absl::Status RunReport(int argc, char** argv);
absl::Status RunInfoVerb(int argc, char** argv);

}  // namespace mallogram
