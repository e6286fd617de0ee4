// A look outward along the stack that keeps nothing: is a certain frame still
// there? By compiled rules, so it costs some 15 ns a frame.
#pragma once

#include "preload/unwinder/frame_step.h"

namespace mallogram {

enum class Met {
  kFrame,   // the one that was looked for
  kSignal,  // the frame of a signal handler came first
  kEnd,     // neither, as far as the stack goes
  kNoWay,   // code without unwind information came first
};

// From the frame `from` outward to the one with pc and sp of `to`.
// REQUIRES: called (transitively) from the function whose caller is `from`.
Met LookFor(const CallerState& from, const CallerState& to);

}  // namespace mallogram
