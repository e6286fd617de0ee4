// The verbs `report` and `info`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

std::string ReportHelp();
absl::StatusOr<int> RunReport(Arguments arguments);

std::string InfoHelp();
absl::StatusOr<int> RunInfoVerb(Arguments arguments);  // RunInfo is a record

}  // namespace mallogram
