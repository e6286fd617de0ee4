// The heap at given moments of a recording: bytes and blocks alive of every call
// site, from the events. What phases, residuals and differences are made of.
//
// How exact. A moment that is a number of events is exact. One that is a time is
// not quite: times of events are interpolated (event_codec.h), and while a program
// has one thread, only one event in dozens is stamped at all. So the answer comes
// with what the heap may have been, `low_bytes` to `high_bytes`: over all events
// that may or may not have come before that time. `exact()` if these are one.
// Events of a mark that the program wrote (preload/trace/marks.h) are counted, so
// its moment is exact however many events are near.
//
// Of a sampled recording: estimates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "analyzer/recording/chunk_directory.h"
#include "analyzer/recording/recording.h"

namespace mallogram {

struct LiveSite {
  uint32_t stack = 0;  // id in the trace
  uint64_t blocks = 0, bytes = 0;
};
struct LiveHeap {
  uint64_t time_ns = 0;  // since the recording's start
  uint64_t events = 0;   // that came before
  uint64_t blocks = 0, bytes = 0;
  uint64_t low_bytes = 0, high_bytes = 0;  // see above
  std::vector<LiveSite> sites;             // by stack, none of them empty
  // Not empty: this is the heap at the last event that could be read before it, and
  // why.
  std::string warning;

  bool exact() const { return low_bytes == high_bytes && warning.empty(); }
};

// After `events` events, if that is known, else at `time_ns`.
struct Moment {
  static constexpr uint64_t kByTime = UINT64_MAX;
  uint64_t time_ns = 0;
  uint64_t events = kByTime;
};

// The heap after the last event at or before each of the moments (any order; the
// answers are in the same). One pass over the events, memory O(blocks alive +
// sites). A damaged or cut file gives what can be had of it.
absl::StatusOr<std::vector<LiveHeap>> LiveAt(Recording& recording,
                                             absl::Span<const Moment> moments,
                                             ProgressFn progress);

}  // namespace mallogram
