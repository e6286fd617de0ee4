// Many series, fitted by all cores.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "analyzer/fit/fit.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

struct SeriesInput {
  std::vector<Measurement> measurements;
  double quantum = 0;  // 0: guess

  bool operator==(const SeriesInput& other) const;
};

// FitSeries() of each. Equal series are fitted once: most call sites are live at
// the end as they were at the peak, and many are made of the same few blocks.
std::vector<SeriesFit> FitAllSeries(absl::Span<const SeriesInput> series,
                                    const FitRequest& request);

// Whether each is an alarm, under one false discovery rate over all of them.
std::vector<bool> AlarmsOf(absl::Span<const SeriesFit* const> fits);

}  // namespace mallogram::fit
