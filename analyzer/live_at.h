// The heap at given moments of a recording: bytes and blocks alive of every call
// site, from the events. What phases, residuals and differences are made of.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "analyzer/chunk_directory.h"

namespace mallogram {

struct LiveSite {
  uint32_t stack = 0;  // id in the trace
  uint64_t blocks = 0, bytes = 0;
};
struct LiveHeap {
  uint64_t time_ns = 0;  // since the recording's start
  uint64_t blocks = 0, bytes = 0;
  std::vector<LiveSite> sites;  // by stack, none of them empty
};

// The heap after the last event at or before each of `times_ns` (rising). One pass
// over the events, memory O(blocks alive + sites). Precision of time: that of the
// event's stamps (event_codec.h).
absl::StatusOr<std::vector<LiveHeap>> LiveAt(absl::string_view path,
                                             absl::Span<const uint64_t> times_ns,
                                             ProgressFn progress);

}  // namespace mallogram
