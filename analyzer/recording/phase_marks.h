// Phases: states that a program names when it has reached them, by a line on
// standard error,
//
//   phase NAME SECONDS
//
// SECONDS being CLOCK_MONOTONIC. If the line went through write(2), the recording
// itself holds the mark between two events (preload/trace/marks.h), and the heap at
// the phase is exact. Else its time says where it was: LiveHeap tells how exactly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/live_at.h"
#include "analyzer/recording/recording.h"
#include "preload/trace/marks.h"

namespace mallogram {

// A line of the program's.
struct PhaseLine {
  std::string name;
  uint64_t monotonic_ns = 0;
};
// Every such line of the text, in order; other lines are none of ours.
std::vector<PhaseLine> ParsePhaseLines(absl::string_view text);

// A phase that is reached more than once has more than one.
struct Phase {
  std::string name;
  Moment moment;  // of a recording
};
// The recording's own marks, in order, and those of `lines` that are not among them
// (recordings before there were marks say nothing of clocks: their lines are left
// out).
std::vector<Phase> FindPhases(const Marks& marks,
                              const std::vector<PhaseLine>& lines);

// The last phase of that name; nullptr if there is none.
const Phase* FindPhase(const std::vector<Phase>& phases, absl::string_view name);

struct PhaseHeap {
  std::string name;
  LiveHeap heap;
};
// All of it: the heap at every phase of a recording. `stderr_text`: what the
// program wrote, may be empty.
absl::StatusOr<std::vector<PhaseHeap>> HeapAtPhases(Recording& recording,
                                                    absl::string_view stderr_text,
                                                    ProgressFn progress);

}  // namespace mallogram
