// --fail-on: what makes a study end with exit status 3. Pure.
//
//   budget       a value above the table's budget, or a unit above its own
//   criteria     a criterion that failed
//   undecided    a criterion that was not shown, either way
//   law>CLASS    a firm law of a table's value that is steeper than CLASS
//   residual>P%  a residual above this share of what came on top of the baseline
//   cv>P%        replicates that scatter more
//   alarm        a call site that is steeper than linear
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/study/judge/study_result.h"

namespace mallogram::study {

struct Failure {
  enum class What { kBudget, kCriteria, kUndecided, kLaw, kResidual, kCv, kAlarm };
  What what = What::kCriteria;
  double share = 0;
  fit::Growth growth = fit::Growth::kLinear;
};

// "budget,law>linear,residual>10%". Errors are for the command line.
absl::StatusOr<std::vector<Failure>> ParseFailOn(absl::string_view text);

// A sentence for everything that holds; empty: nothing does.
std::vector<std::string> FindFailures(const StudyResult& result,
                                      const std::vector<Failure>& failures);

}  // namespace mallogram::study
