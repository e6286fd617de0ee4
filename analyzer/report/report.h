// The result that every report renders: one recording, or several merged, as
// plain data. Made by report_builder; cut, ranked and grouped by analyses. Names
// are in the StackBook that the report was built with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/recording/process_facts.h"
#include "preload/trace/summary.h"

namespace mallogram {

// What sites are ranked by.
enum class Measure { kPeak, kLive, kAllocated, kCalls, kTemporary };

constexpr uint64_t ValueOf(const SiteTotals& totals, Measure by) {
  switch (by) {
    case Measure::kPeak:
      return totals.peak_bytes;
    case Measure::kLive:
      return totals.live_bytes;
    case Measure::kAllocated:
      return totals.bytes_allocated;
    case Measure::kCalls:
      return totals.calls;
    case Measure::kTemporary:
      return totals.temporary;
  }
  return 0;
}

struct Process : ProcessFacts {
  Totals totals;
  Loss loss;
};

struct Site {
  uint32_t id = 0;    // one recording: the stack's id in the file; else a number
  uint32_t node = 0;  // of the StackBook: innermost frame
  SiteTotals totals;  // `stack` is not used
};

// What filters left of the recordings.
struct Filtered {
  std::string words;      // the filters, as options
  SiteTotals shown, all;  // `stack` is not used
};

struct Report {
  std::vector<Process> processes;  // by start
  // Sums over the processes, but for duration (first start to last end), and
  // peak_time_ns (of the process with the largest peak).
  Totals totals;
  Loss loss;
  SelfReport self;
  std::vector<Sample> timeline;  // of all processes together, since the first start
  std::vector<SizeClass> sizes;  // kSizeBuckets of them
  std::vector<Site> sites;       // one a node
  // If any of the recordings is sampled: the longest interval, and estimates of all
  // of them together, for intervals; `sampling.sites` then goes with `sites`.
  Sampling sampling;
  std::optional<Filtered> filtered;
  std::vector<std::string> warnings;

  bool merged() const { return processes.size() > 1; }
  bool sampled() const { return sampling.interval != 0; }
};

}  // namespace mallogram
