// Inside an allocator that is not libc's: a wrapper that the user preloads,
// jemalloc, tcmalloc. Its functions may call the exported ones (a malloc that calls
// calloc, an operator new that calls malloc), which are ours and come first. The
// outermost call is the program's; what the allocator asks for to serve it is not
// recorded.
//
// A signal handler that allocates meanwhile is the program's, too, and what leaves
// the allocator by longjmp or an exception ends no scope: so a call that finds the
// mark looks outward along the stack which of the three it is. With libc's malloc
// behind us none of this is ever called.
#pragma once

#include "preload/recorder.h"

namespace mallogram {

// Around one call of a function of the allocator's, whose block is recorded as a
// whole. The scope's frame is the mark.
class InAllocator {
 public:
  [[gnu::always_inline]] InAllocator()
      : state_(Begin(reinterpret_cast<uint64_t>(__builtin_frame_address(0)))),
        draw_(t_draw) {
    // Sampling: what is not recorded draws no points.
    if (state_ != nullptr) t_draw = &g_no_draw;
  }
  [[gnu::always_inline]] ~InAllocator() {
    if (state_ != nullptr) End(state_, draw_);
  }
  InAllocator(const InAllocator&) = delete;
  InAllocator& operator=(const InAllocator&) = delete;

 private:
  // nullptr: the thread is inside already, or not recorded.
  static ThreadState* Begin(uint64_t frame);
  static void End(ThreadState* state, SampleDraw* draw);

  ThreadState* const state_;
  SampleDraw* const draw_;
};

// An event of a thread whose state `s` is marked is …
enum class Within {
  kCalledBack,   // the allocator's own
  kInterrupted,  // a signal handler's
  kLeft,         // the program's: the marked call was left behind
};
// REQUIRES: called below the entry point of the event.
Within LookOutward(const ThreadState* s);
// Takes the mark of a call that was left behind from `s`.
void LeaveAllocator(ThreadState* s);

}  // namespace mallogram
