// The verb `sweep`: runs a program at several input sizes and reports how its
// memory grows.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

std::string SweepHelp();
// 0, or 1 if a run failed; interrupted: Interrupted (exit.h).
absl::StatusOr<int> RunSweep(Arguments arguments);

}  // namespace mallogram
