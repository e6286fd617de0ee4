// Success criteria: passed, failed, or not shown. Pure.
//
// A figure with an interval passes or fails only if the whole interval does: a
// target inside it is undecided. Values of deterministic heaps (replicates that are
// the same to the byte, or single runs) have no interval and count as they are; a
// single resident set does not, it is never the same twice. A size that was not
// measured is judged by its prediction's interval; where there is none, the
// criterion is undecided, with the reason.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/study/judge/study_result.h"
#include "analyzer/study/measures/measures.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

// The share of what came on top of the baseline that is left.
Quantity ResidualShare(const TableSpec::Residual& residual);

// Every criterion, of every variant if it names none, in the spec's order.
// REQUIRES: result has its tables. Errors: a quantity that a run does not have.
absl::StatusOr<std::vector<CriterionResult>> JudgeCriteria(
    const StudyResult& result, const StudyMeasures& measures);

// Whether a law is no steeper than `target` says, by class; undecided laws are
// undecided.
struct LawJudgement {
  Status status = Status::kUndecided;
  std::string reason;
};
LawJudgement JudgeLaw(const fit::SeriesFit& fit, absl::string_view target);

// A verdict in words: "linear (high)", "undetermined", "not enough data".
std::string VerdictText(const fit::SeriesFit& fit);

}  // namespace mallogram::study
