// Recordings of a sweep to measures. A run's measures are kept beside its recording
// (measures.json) and are not made again, unless the study's groups have changed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "analyzer/recording/chunk_directory.h"
#include "analyzer/study/measures/measures.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram::study {

inline constexpr absl::string_view kMeasuresFile = "measures.json";

// Progress counts runs. REQUIRES: at least one run.
absl::StatusOr<VariantMeasures> MeasureRuns(const StudySpec& spec,
                                            const std::vector<SweepRun>& runs,
                                            ProgressFn progress);

}  // namespace mallogram::study
