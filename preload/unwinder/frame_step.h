// One step outward, shared by the fast and the full walk.
#pragma once

#include <cstdint>

#include "preload/unwinder/rules.h"
#include "preload/unwinder/stack_guard.h"

namespace mallogram {

// The caller's registers as they will be when the interposed function returns:
// pc = return address, sp = CFA of the interposed function, bp = its saved rbp.
struct CallerState {
  uint64_t pc, sp, bp;
};

// What a walker has done; counts since it was made.
struct WalkStats {
  uint64_t walks, frames_walked, full_walks;
};

// What the fast walk knows of a frame. `key` holds pc and flags (see rules.h),
// without the module. Equal states unwind equally as long as the stack slots
// read on the way hold the same values and the code stays mapped.
struct FrameState {
  uint64_t key, sp, bp;
};

enum class StepEnd : uint32_t {
  kNotYet = 0,
  kComplete = 1,  // the outermost frame
  kStopped = 2,   // there may be more, but it can't be found
};

// A return address that cannot be one ends the walk: 0 by convention at the
// outermost frame, anything else outside user space because the stack is not
// what its unwind rules say.
inline StepEnd CheckReturnAddress(uint64_t ra) {
  if (ra - 4096 < kPcMask + 1 - 4096) [[likely]]
    return StepEnd::kNotYet;
  return ra == 0 ? StepEnd::kComplete : StepEnd::kStopped;
}

// The step through code without CFI: rbp taken for a frame pointer. All reads are
// guarded, and so is the rest of the walk (*next is marked).
StepEnd GuessStep(const FrameState& state, StackGuard* guard, FrameState* next);

}  // namespace mallogram
