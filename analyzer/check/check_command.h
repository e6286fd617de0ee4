// The verb `check`: a program recorded and judged by limits.
#pragma once

#include "analyzer/check/check_options.h"

namespace mallogram {

// Prints its own errors; returns the exit status.
int RunCheck(int argc, char** argv);

}  // namespace mallogram
