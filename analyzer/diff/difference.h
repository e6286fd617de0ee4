// What changed between two heaps, call site by call site: two recordings, or two
// moments of one. Plain data and pure functions; diff_command.cc fills it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/scaling/runs.h"

namespace mallogram {

struct DiffMeasure {
  std::string name;   // in JSON and of --by: "peak"
  std::string text;   // for people: "live at the peak"
  bool bytes = true;  // else a count
};

// A value a measure, before and after.
struct DiffValues {
  std::vector<uint64_t> before, after;

  int64_t Change(size_t by) const {
    return static_cast<int64_t>(after[by] - before[by]);
  }
};

struct DiffSite {
  size_t site = 0;  // in Difference::sites
  DiffValues values;
};

struct Difference {
  std::string before, after;  // what is compared: files, or moments
  std::string matched_by;     // a sentence; empty: one recording
  std::vector<DiffMeasure>
      measures;              // those of call sites first, then the program's
  size_t site_measures = 0;  // how many are of call sites
  DiffValues totals;         // of the program, by measure
  // Of two moments: bytes that the heap may have been (LiveHeap); else empty.
  struct Range {
    uint64_t low = 0, high = 0;
  };
  std::vector<Range> ranges;  // before, after
  std::vector<CallSite> sites;
  std::vector<DiffSite> values;  // at most one a site
  std::vector<std::string> warnings;
};

// By one measure; sites that have none of it on either side are not counted.
struct DiffCounts {
  size_t appeared = 0, vanished = 0, grew = 0, shrank = 0, same = 0;
};
DiffCounts CountChanges(const Difference& difference, size_t by);

// The sites that changed (indices of `values`), the largest change first.
std::vector<size_t> RankChanges(const Difference& difference, size_t by);

// Of two runs: the first and the second of `runs`. REQUIRES: there are two.
Difference CompareRuns(Runs runs);

// Bytes and blocks alive at two moments, by site, in this order.
inline constexpr size_t kMomentMeasures = 2;
Difference MomentsDifference(std::vector<CallSite> sites,
                             std::vector<DiffSite> values);

}  // namespace mallogram
