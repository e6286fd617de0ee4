// Measures of a study to its result: rows, fits, criteria. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "analyzer/study/judge/study_result.h"
#include "analyzer/study/measures/measures.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

// REQUIRES: measures are of this spec's tables and variants; every variant has a
// run. Errors: a quantity that a run does not have.
absl::StatusOr<StudyResult> Analyze(const StudySpec& spec,
                                    const StudyMeasures& measures);

// Date, host, program … of the runs.
void SetConfiguration(const StudyMeasures& measures, StudyResult* result);

}  // namespace mallogram::study
