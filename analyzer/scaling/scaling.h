// How a program's memory grows with n, and each call site's: fits of every metric,
// alarms under one false discovery rate, and the exactly additive decomposition.
// Pure functions on plain data.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/fit/decompose.h"
#include "analyzer/fit/fit.h"
#include "analyzer/scaling/runs.h"

namespace mallogram {

struct ScalingRequest {
  std::vector<double> predict;   // sizes; the largest is the target n
  std::optional<double> budget;  // bytes of the program, by `by`
  Metric by = Metric::kPeak;     // ranks the sites and is decomposed
  // Sites below this share of the program in every run, by every metric, are put
  // together into one, `others`.
  double least_share = 0.0002;
};

struct MetricFit {
  fit::SeriesFit fit;
  bool alarm = false;  // steeper than linear, under the false discovery rate
};

struct SiteScaling {
  size_t site = 0;  // in Runs::sites; kOthers: all small sites together
  static constexpr size_t kOthers = static_cast<size_t>(-1);
  std::array<MetricFit, kSiteMetrics> metrics;  // by Metric
  fit::SiteTerm term;                           // in the decomposition of `by`
  // `by` at the target n: measured, predicted, or if that is refused the term's.
  double at_target = 0;
  enum class Source { kMeasured, kPredicted, kTerm } source = Source::kMeasured;
  double at_largest = 0;  // `by` at the largest n: mean of the runs
};

struct Scaling {
  std::vector<double> sizes;  // n, rising
  Metric by = Metric::kPeak;
  double target = 0;  // the largest n asked for, or the largest measured
  std::array<MetricFit, kProgramMetrics> program;
  std::vector<SiteScaling> sites;  // by bytes at the target n, largest first
  size_t small_sites = 0;          // how many are in kOthers
  // Of `by`, mean values; its sites are as in `sites`. Nothing: fewer than three
  // sizes, or none of these bytes at some size.
  std::optional<fit::Decomposition> decomposition;
  std::vector<std::string> warnings;
};

// One threaded pass over all series that differ: below a millisecond a series and
// core.
// REQUIRES: at least one run.
Scaling AnalyzeScaling(const Runs& runs, const ScalingRequest& request);

}  // namespace mallogram
