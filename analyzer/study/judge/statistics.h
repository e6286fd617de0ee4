// Replicates of one size, summed up; and what interval they give. Pure.
#pragma once

#include <vector>

#include "analyzer/study/judge/study_result.h"

namespace mallogram::study {

// REQUIRES: at least one value.
Statistics Summarize(std::vector<double> values);

struct Interval {
  double low = 0, high = 0;
};

// 95 % by Student's t of the replicates' mean; one value, or values that are all
// the same, are taken as they are.
Interval IntervalOfMean(const Statistics& statistics);

}  // namespace mallogram::study
