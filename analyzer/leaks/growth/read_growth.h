// The growth of a recording's call sites: one pass over its events.
//
// Memory: O(blocks alive) + about 5 KB a stack that is busy, twice: stacks are
// labelled one by one and, so that a leak that a hundred callers share is one,
// together by the address that called the allocator.
//
// Of a sampled recording: the blocks that were followed are labelled (fewer, so
// that less can be told), bytes are what they stand for.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "analyzer/leaks/growth/label.h"
#include "analyzer/recording/chunk_directory.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/trace.h"

namespace mallogram {

// The heap after so many allocations of the process.
struct HeapPoint {
  uint64_t allocations = 0, bytes = 0;
};

struct RunGrowth {
  // At most 64, evenly over the allocations.
  std::vector<HeapPoint> heap;
  absl::flat_hash_map<uint32_t, SiteGrowth> of_stack;  // by stack id
  // By module id and offset of the innermost frame.
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, SiteGrowth> of_caller;

  // Of the stack's own or, unless it grows itself, of its caller if that grows.
  // Without a label (nothing is known): undetermined.
  SiteGrowth Of(const Trace& trace, uint32_t stack) const;
};

// The end of the run that counts.
struct RunEnd {
  uint64_t events = UINT64_MAX;  // that came before
  uint64_t time_ns = 0;          // 0: the recording's
};
// Check `number` of the trace; 0: the last. One that somebody asked for is an end;
// one at the end of the process is when that stood still, for the pause is no time
// in which nothing came.
RunEnd EndOfRun(const Trace& trace, size_t number);

// `trace` was read from `recording`.
absl::StatusOr<RunGrowth> ReadGrowth(Recording& recording, const Trace& trace,
                                     ProgressFn progress, const RunEnd& end);

}  // namespace mallogram
