// What several recordings of one program say of its call sites: the input of every
// scaling analysis. Plain data and its builder.
//
// Call sites of different recordings are the same if their symbolized call stacks
// read the same, so neither ASLR nor the order of the recordings matters. Recursion
// is folded first: what lies between two calls of one function is left out, so that
// no function is twice on a stack (the library's plumbing may be). Otherwise every
// input size would bring call stacks of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/stacks/site_book.h"

namespace mallogram {

// What is measured of a program and of each call site. Bytes, but for kCalls.
enum class Metric : uint8_t {
  kPeak,       // live when the program's heap was highest
  kLive,       // live at the program's end
  kAllocated,  // ever allocated
  kCalls,      // allocations
  kRss,        // the program's largest resident set; not of call sites
};
inline constexpr size_t kSiteMetrics = 4, kProgramMetrics = 5;

absl::string_view MetricName(Metric metric);  // "peak", "live", "allocated" …
absl::string_view MetricText(Metric metric);  // for people: "live at the peak"

struct SiteValues {
  uint32_t site = 0;                            // in Runs::sites
  std::array<uint64_t, kSiteMetrics> values{};  // by Metric
};

struct Run {
  double n = 0;      // input size, > 0
  uint32_t rep = 1;  // which replicate of this size
  std::string file;  // the recording; of several processes, their directory
  std::array<uint64_t, kProgramMetrics> values{};  // of the program, by Metric
  std::vector<SiteValues> sites;                   // rising
  bool sampled = false;                            // values are estimates
};

struct Runs {
  std::vector<CallSite> sites;
  std::vector<Run> runs;              // in the order they were added
  std::vector<std::string> warnings;  // for people; each once
};

}  // namespace mallogram
