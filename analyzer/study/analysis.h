// Measures of a study to its result: rows, fits, criteria. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "analyzer/study/measures.h"
#include "analyzer/study/study.h"

namespace mallogram::study {

// REQUIRES: measures are of this spec's tables and variants; every variant has a
// run. Errors: a quantity that a run does not have.
absl::StatusOr<StudyResult> Analyze(const StudySpec& spec,
                                    const StudyMeasures& measures);

}  // namespace mallogram::study
