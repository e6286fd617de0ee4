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
// state. May run in signal handlers (the caller gives nested use its own Walker).
#pragma once

#include <cstdint>

#include "preload/stack_table.h"

namespace mallogram {

// The caller's registers as they will be when the interposed function returns:
// pc = return address, sp = CFA of the interposed function, bp = its saved rbp.
struct CallerState {
  uint64_t pc, sp, bp;
};

// POD, zero is the valid initial state; lives in the thread's private mapping.
struct WalkerMemo;
struct WalkStats {
  uint64_t walks, frames_walked, full_walks;
};

class Walker {
 public:
  // REQUIRES: called (transitively) from the interposed function whose caller is
  // `caller`: the full walk starts at its own frame and unwinds to caller.sp.
  // `max_depth` 0: unlimited; else the innermost frames are kept and the stack's
  // root is kRootCut. Returns a node id (or root: kRootUnknown, table full).
  uint32_t Walk(const CallerState& caller, uint32_t max_depth, StackTable* table);

  const WalkStats& stats() const { return stats_; }

 private:
  WalkerMemo* memo_;
  WalkStats stats_;
};

// Forgets every rule whose pc lies in [start, end) and, through the code epoch,
// every thread's memo: called after a module went away.
void ForgetCode(uint64_t start, uint64_t end);

// Compares with libunwind (verify.cc). Loaded on demand with
// dlopen(RTLD_LOCAL); false and a message in *error when it can't be.
// REQUIRES: called outside malloc, from the library's constructor.
bool EnableVerify(const char** error);

// What verify mode counts, in ImageHeader.verify_class.
enum class VerifyClass : int {
  kEqual = 0,
  kUnexplained = 1,       // must stay 0
  kOracleStoppedEarly = 2,  // libunwind's frames are a proper inner part of ours
  kOracleLimit = 3,         // longer than the buffer given to libunwind
  // 4…7: further named classes; name and reason beside VerifyClassName.
};
const char* VerifyClassName(VerifyClass verify_class);

}  // namespace mallogram
