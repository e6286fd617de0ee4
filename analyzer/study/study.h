// A study: tables of runs of a program at several input sizes, what was measured in
// them, and which criteria hold. Plain data between the runner and the renderers.
//
// Study file -> StudySpec (spec.cc) -> sweeps -> StudyResult (run_study.cc) ->
// text, Markdown, JSON, plots (render_*.cc, plot_study.cc).
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/fit/fit.h"
#include "analyzer/scaling/runs.h"
#include "analyzer/scaling/scaling.h"

namespace mallogram::study {

// ---- what was asked for ---------------------------------------------------

// A quantity of a run: an expression of numbers, + - * / ( ) and names:
//   n                          the input size
//   peak live allocated calls rss     of the program (analyzer/scaling/runs.h)
//   at.PHASE                   heap bytes when the program printed "phase PHASE T"
//   group.NAME                 bytes at the peak of a group of call sites; also
//   group.NAME.live, .allocated, .calls, and group.NAME.at.PHASE
//   truth.PATH                 a number in the JSON object that the program prints,
//                              by keys joined with dots ('-' in keys written as
//                              '_')
using Quantity = std::string;

struct Group {  // call sites by name: a component, a type of object
  std::string name, title;
  std::string match;  // regular expression (RE2); some frame's function matches
};

struct Column {
  std::string title;
  Quantity value;
  bool bytes = true;  // else a plain number
};

struct Variant {  // the same table with other arguments
  std::string name;
  std::vector<std::string> arguments;
};

struct PublishedRow {  // what somebody printed for a size, to be set beside ours
  double n = 0, value = 0;
};

struct TableSpec {
  std::string id, title, note;
  std::vector<std::string> arguments;  // {n} is replaced, and {input}
  // A command that makes the input of a size, once, unrecorded: {input} is the file
  // that takes its standard output. Empty: none.
  std::vector<std::string> prepare;
  std::vector<std::string> sizes;
  std::string parameter = "n";  // what n is: "sessions"
  uint32_t reps = 1;
  bool warm_up = false;
  std::string unit;         // "session"; empty: no column per unit
  Quantity units = "n";     // how many of them there really are
  Quantity value = "peak";  // what is fitted, plotted, compared
  std::string value_title;  // "heap bytes at the peak"
  std::vector<Column> columns;
  std::vector<Column> ratios;  // efficiency: plotted on a log scale
  std::vector<double> predict;
  std::optional<double> budget;       // bytes a run
  std::optional<double> unit_budget;  // bytes a unit
  std::optional<double> estimate;     // bytes a unit, as somebody expected
  std::vector<Variant> variants;      // never empty: one without name by default
  std::string baseline;               // the variant that others are compared with
  // After close: what is left of what came on top of the baseline.
  struct Residual {
    Quantity before, high, after;
  };
  std::optional<Residual> residual;
  std::vector<PublishedRow> published;
  std::string published_text;  // what the report called it
};

struct CriterionSpec {
  std::string name, table, variant;
  // One of: value at n (or at every n), the law, the CV, the residual's share.
  enum class What { kValue, kLaw, kCv, kResidual } what = What::kValue;
  Quantity value;
  std::optional<double> n;  // not measured: predicted, or undecided
  std::string target;       // "< 100MB", "<= linear", "< 1%"
};

struct StudySpec {
  std::string file;                              // the study file
  std::string name, title, description, source;  // source: the report behind it
  std::string program;
  std::vector<Group> groups;
  std::vector<TableSpec> tables;
  std::vector<CriterionSpec> criteria;
};

// ---- what came out --------------------------------------------------------

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
