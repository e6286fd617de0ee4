// Two studies of the same tables, before and after: what got smaller, what got
// bigger, and which laws changed. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/scaling/runs.h"
#include "analyzer/study/judge/study_result.h"
#include "analyzer/study/measures/measures.h"

namespace mallogram::study {

// A value before and after: means of the replicates, and the change.
struct Change {
  double before = 0, after = 0;
  // after - before, 95 % by Welch's t; low == high == the difference if the
  // replicates do not differ ("exact").
  double difference = 0, low = 0, high = 0;
  bool exact = false;   // all replicates of a side are the same
  bool single = false;  // a side has one run: no interval can be had
  // Of `before`; nothing if that is 0.
  std::optional<double> share, share_low, share_high;
};
// REQUIRES: neither is empty.
Change CompareValues(const std::vector<double>& before,
                     const std::vector<double>& after);

struct LawChange {
  std::string before, after;  // "linear (high)"
  // Both verdicts are firm and of different classes.
  bool changed = false;
  bool steeper = false;  // changed, for the worse
  bool firm = false;     // both verdicts are
};

struct SiteChange {
  std::string function, file;  // of the side that has it, after first
  uint32_t line = 0;
  std::vector<std::string> stack;  // functions, innermost first
  enum class Presence { kBoth, kAppeared, kVanished } presence = Presence::kBoth;
  Change largest;  // bytes at the peak, at the largest size of both
  LawChange law;   // of bytes at the peak
};

struct SizeChange {
  double n = 0;
  Change value;
};

struct VariantComparison {
  std::string table, title, variant, value_title;
  std::vector<SizeChange> sizes;                // that both have measured
  std::vector<double> only_before, only_after;  // sizes
  std::optional<Change> total;                  // the sum over these sizes
  LawChange law;                                // of the value
  std::vector<SiteChange> sites;  // by the size of the change, largest first
};

struct StudyComparison {
  std::string before, after;  // directories
  std::vector<VariantComparison> variants;
  std::vector<std::string> warnings;  // what one of them does not have
};

struct ComparedStudy {
  std::string directory;
  const StudyResult& result;
  const StudyMeasures& measures;
};
StudyComparison CompareStudies(const ComparedStudy& before,
                               const ComparedStudy& after);

// Call sites merged by the functions on their stacks that are not plumbing, so that
// they match in a program that was built anew. (compare_sites.cc)
Runs MergeByNames(const Runs& runs);
LawChange CompareLaws(const fit::SeriesFit* before, const fit::SeriesFit* after);
std::vector<SiteChange> CompareSites(const Runs& before, const Runs& after);

// (render_compare.cc)
std::string RenderCompareText(const StudyComparison& comparison, bool utf8,
                              size_t width);
std::string RenderCompareJson(const StudyComparison& comparison);

}  // namespace mallogram::study
