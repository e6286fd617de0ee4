// The verb `sweep`: runs a program at several input sizes and reports how its
// memory grows.
#pragma once

#include "absl/status/status.h"

namespace mallogram {

extern const char kSweepHelp[];

// argv[0] is the verb. Prints results on standard output and errors on standard
// error. 0; 1: a run failed; 2: a mistake in the command line. Interrupted, it dies
// of the signal.
int RunSweepVerb(int argc, char** argv);

}  // namespace mallogram
