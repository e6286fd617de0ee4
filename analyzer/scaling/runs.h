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

// What makes two places of different recordings the same call site.
enum class SiteIdentity : uint8_t {
  kStack,     // the whole call stack, with lines
  kNames,     // its functions that are not plumbing, no lines: survives a rebuild
  kLine,      // the innermost function that is not plumbing, and its line
  kFunction,  // the same without the line
};

struct StackFrame {
  std::string function;  // demangled, or "libx.so+0x12ab"; never empty
  std::string file;      // empty: not known
  uint32_t line = 0;
  bool plumbing = false;  // of the allocator or the standard library (names.h)
};

struct CallSite {
  std::string id;        // unique, the same in every sweep of the same program
  std::string function;  // innermost that is not plumbing; never empty
  std::string file;      // of that function; empty: not known
  uint32_t line = 0;
  // Innermost first, folded. With an identity other than kStack: of one of the
  // stacks, the one that allocated most in a run.
  std::vector<StackFrame> stack;
};

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
