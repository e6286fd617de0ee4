// The complete unwinder: all registers, all rules, no cache. About 0.5 µs a
// frame; used from the first frame that the compiled rules do not cover.
#pragma once

#include <cstdint>

#include "preload/unwinder/expression.h"
#include "preload/unwinder/frame_step.h"

namespace mallogram {

// One walk outward. Not kept beyond the call that started it.
class FullWalk {
 public:
  // Captures its own registers and unwinds through the library to `target`, which
  // must be one of the frames below it: the interposed function's caller or a
  // frame further out. False: the target was not met.
  // REQUIRES: called below the interposed function. noinline: its own frame must
  // exist while it is unwound.
  [[gnu::noinline]] bool Start(const FrameState& target, StackGuard* guard);

  // The same outward to the frame that called into the code in [start, end), a
  // library function that calls back.
  [[gnu::noinline]] bool StartBeyond(uint64_t start, uint64_t end,
                                     StackGuard* guard);

  // Of the frame at which the walk stands, by DWARF's number (kRa: its pc); 0 if it
  // is not known.
  uint64_t Register(int reg) const {
    return registers_.Has(static_cast<uint64_t>(reg)) ? registers_.value[reg] : 0;
  }

  bool started() const { return started_; }
  // From where it stands outward to `target`.
  bool AdvanceTo(const FrameState& target, StackGuard* guard);

  // One frame outward; state() is then that frame's.
  StepEnd Step(StackGuard* guard);
  FrameState state() const;

 private:
  bool Compute(const RegisterRule& rule, int reg, uint64_t cfa, StackGuard* guard,
               uint64_t* value) const;
  bool Read(uint64_t address, StackGuard* guard, uint64_t* value) const;

  RegisterFile registers_;  // kRa: the frame's pc
  uint64_t flags_;          // kExactPc | kGuardedWalk
  bool started_ = false;
};

}  // namespace mallogram
