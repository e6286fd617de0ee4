// Limits of `mallogram check`, and whether a recorded run kept them. Pure functions
// on plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/check/test_spans.h"
#include "analyzer/leaks/document.h"
#include "analyzer/leaks/growth/label.h"
#include "analyzer/leaks/growth/read_growth.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// none: no call site grows. linear: the heap grows at most in proportion to the
// allocations that were made; sites may grow.
enum class GrowthLimit : uint8_t { kNone, kLinear };

struct Limits {
  std::optional<uint64_t> leak;  // bytes
  bool strict = false;           // of leaks: what is possibly lost counts as well
  std::optional<uint64_t> peak;  // bytes of heap
  std::optional<GrowthLimit> growth;
  std::optional<uint64_t> allocations;

  bool any() const { return leak || peak || growth || allocations; }
};

// What a process did, beside its leaks.
struct ProcessRun {
  std::string name;
  uint64_t peak_bytes = 0, allocations = 0;
  std::vector<TestSpan> tests;
  std::vector<HeapPoint> heap;
};

struct Finding {
  std::string name;      // "leak"
  std::string measured;  // "96 B definitely lost"
  std::string limit;     // "at most 0 B"
  bool kept = true;
  std::vector<std::string> culprits;  // sentences, worst first
};

// A finding a limit. Processes as in the document.
std::vector<Finding> JudgeLimits(const Limits& limits, const LeakDocument& document,
                                 const StackBook& book,
                                 const std::vector<ProcessRun>& processes);

// The heap over the allocations of a run: true if it grows faster than in
// proportion, surely. `law`: in words.
bool GrowsFasterThanLinear(const std::vector<HeapPoint>& heap, std::string* law);

}  // namespace mallogram
