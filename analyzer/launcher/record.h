// The verbs that record. `mallogram record` is the launcher: parent of the program
// and of the collector. `mallogram collect` is what the library starts when it was
// preloaded without a launcher; users never type it.
#pragma once

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

// Errors carry a shell's exit statuses, 125 to 127, so that they do not look like
// the program's. What is to be said while the program runs or once it has ended is
// said here. Does not return at all if the program has run: this process then ends
// as it did, by the same signal if by one. RecordHelp() is beside the options.
absl::StatusOr<int> RunRecord(Arguments arguments);
absl::StatusOr<int> RunCollect(Arguments arguments);

}  // namespace mallogram
