// What a study file asks for: tables of runs of a program at several input sizes,
// what is measured in them, and which criteria are to hold. Plain data.
//
// Study file -> StudySpec (spec/) -> sweeps -> StudyMeasures (measures/) ->
// StudyResult (judge/) -> text, Markdown, JSON, plots (report/). Each room knows
// those before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mallogram::study {

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

// What is run for a table.
struct TableRuns {
  std::vector<std::string> arguments;  // {n} is replaced, and {input}
  // A command that makes the input of a size, once, unrecorded: {input} is the file
  // that takes its standard output. Empty: none.
  std::vector<std::string> prepare;
  std::vector<std::string> sizes;
  uint32_t reps = 1;
  bool warm_up = false;
  std::vector<Variant> variants;  // never empty: one without name by default
};

// How a report speaks of a table.
struct TableWords {
  std::string title, note;
  std::string parameter = "n";  // what n is: "sessions"
  std::string value_title;      // "heap bytes at the peak"
  std::string published_text;   // what the report called its figures
};

// A table: what is run, what is computed from the runs, and how it is told.
struct TableSpec {
  std::string id;
  TableRuns runs;
  TableWords words;
  std::string unit;         // "session"; empty: no column per unit
  Quantity units = "n";     // how many of them there really are
  Quantity value = "peak";  // what is fitted, plotted, compared
  std::vector<Column> columns;
  std::vector<Column> ratios;  // efficiency: plotted on a log scale
  std::vector<double> predict;
  std::optional<double> budget;       // bytes a run
  std::optional<double> unit_budget;  // bytes a unit
  std::optional<double> estimate;     // bytes a unit, as somebody expected
  std::string baseline;               // the variant that others are compared with
  // After close: what is left of what came on top of the baseline.
  struct Residual {
    Quantity before, high, after;
  };
  std::optional<Residual> residual;
  std::vector<PublishedRow> published;
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

}  // namespace mallogram::study
