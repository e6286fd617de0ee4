// The verb `study`: a program run as a study file says, judged by its criteria.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

// 0, or 3 if what --fail-on names was found.
absl::StatusOr<int> RunStudy(Arguments arguments);
std::string StudyHelp();

// What StudyHelp says before and behind the options.
extern const char kStudyHead[], kStudyTail[];

}  // namespace mallogram
