// What a study came to: rows, laws, criteria. Plain data, between the arithmetic of
// this room and the reports.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/fit/fit.h"
#include "analyzer/scaling/runs.h"
#include "analyzer/scaling/scaling.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

// Replicates of one size.
struct Statistics {
  size_t count = 0;
  double median = 0, mean = 0, low = 0, high = 0;  // low, high: extremes
  double p25 = 0, p75 = 0;
  std::optional<double> sd, cv;  // nothing: single run
  std::vector<double> values;    // every replicate's
};

struct Row {
  std::string size;
  double n = 0;
  Statistics value;
  std::array<Statistics, kProgramMetrics> metrics;  // by Metric
  double units = 0;
  std::optional<double> per_unit;            // median value over units
  std::vector<Statistics> columns, ratios;   // as in the spec
  std::map<std::string, Statistics> phases;  // heap bytes at each
  std::map<std::string, Statistics> groups;  // bytes at the peak
  std::optional<double> residual, residual_share;
  std::optional<double> published;
};

struct VariantResult {
  std::string name;
  std::vector<std::string> command;  // with {n}
  std::string directory;             // of the runs
  std::vector<Row> rows;             // by size
  std::vector<std::string> phases;   // in the order they were reached
  fit::SeriesFit value_fit;          // of TableSpec::value
  std::optional<fit::SeriesFit> residual_fit;
  Scaling scaling;                   // of the program and its call sites, by metric
  std::vector<CallSite> call_sites;  // that `scaling` speaks of
};

struct TableResult {
  TableSpec spec;
  std::vector<VariantResult> variants;
};

enum class Status { kPass, kFail, kUndecided };
struct CriterionResult {
  CriterionSpec spec;
  std::string measured;  // "15.5 MB"
  std::string interval;  // "15.4 MB to 15.6 MB"; empty: none
  Status status = Status::kUndecided;
  std::string reason;  // of an undecided one
};

struct StudyResult {
  StudySpec spec;
  std::vector<TableResult> tables;
  std::vector<CriterionResult> criteria;
  std::map<std::string, std::string> configuration;  // date, host, cpu, version …
  std::string reproduce;                             // command line
  std::vector<std::string> warnings;
  double seconds = 0;
};

}  // namespace mallogram::study
