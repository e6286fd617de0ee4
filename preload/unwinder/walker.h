// Call stacks of the running thread, exact and fast (DESIGN.md D2).
//
// Walk() returns the interned id of the stack that called into the library. It
// walks with compiled CFI rules and an exact memo of the last walk; frames whose
// rules need more than rsp and rbp go to the full walk (all callee-saved
// registers, complete DWARF expressions). Both give the same answer; verify mode
// compares every one with libunwind.
//
// Reads only stack memory that the unwind rules name, in the order in which a
// plain walk would read it, so a walk never touches what a debugger would not.
// No allocation but from private mappings, no lock, no system call in the steady
// state. May run in signal handlers (the caller gives nested use its own Walker);
// a handler that leaves by longjmp in the middle of a Walk loses nothing but the
// memo.
//
// Nodes hold return addresses (the call is at pc - 1). A frame interrupted by a
// signal is interned with the interrupted pc + 1, so that pc - 1 names its
// instruction, too.
#pragma once

#include <cstdint>

#include "preload/stack_table.h"
#include "preload/unwinder/frame_step.h"
#include "preload/unwinder/memo.h"

namespace mallogram {

// POD, zero is the valid initial state; lives in the thread's private mapping.
class Walker {
 public:
  // REQUIRES: called (transitively) from the interposed function whose caller is
  // `caller`: the full walk starts at its own frame and unwinds to caller.sp.
  // `max_depth` 0: unlimited; else the innermost frames are kept and the stack's
  // root is kRootCut. Returns a node id (or root: kRootUnknown, no memory).
  uint32_t Walk(const CallerState& caller, uint32_t max_depth, StackTable* table);

  const WalkStats& stats() const { return stats_; }

  // Gives back what the walker holds. It may be used again, by any thread.
  void Release();

 private:
  uint32_t Recall(const CallerState& caller);
  WalkerMemo* ReadyMemo(uint32_t max_depth);
  uint32_t WalkOut(const CallerState& caller, uint32_t max_depth,
                   StackTable* table);
  uint32_t Remember(uint32_t kept, uint32_t fresh, uint32_t fresh_slots,
                    uint32_t root, bool remember, StackTable* table);
  void KeepTwig(uint32_t kept);

  WalkerMemo* memo_;
  WalkStats stats_;
  WalkerRoom room_;
};

}  // namespace mallogram
