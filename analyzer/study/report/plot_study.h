// The plots of a study's tables, as files in its directory.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "analyzer/study/judge/study_result.h"
#include "analyzer/study/report/render_study.h"

namespace mallogram::study {

// Draws DIRECTORY/plots/TABLE-KIND.svg and .png, and returns them as the report
// names them. Error: the first plot that could not be drawn; NotFound: there is no
// gnuplot.
absl::StatusOr<std::vector<PlotFile>> DrawPlots(const StudyResult& result,
                                                const std::string& directory);

}  // namespace mallogram::study
