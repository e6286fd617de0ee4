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

namespace mallogram {

// The caller's registers as they will be when the interposed function returns:
// pc = return address, sp = CFA of the interposed function, bp = its saved rbp.
struct CallerState {
  uint64_t pc, sp, bp;
};

struct WalkerMemo;
// A walker's first memory, for stacks of 32 frames.
struct alignas(64) WalkerRoom {
  char bytes[6400];
};
struct WalkStats {
  uint64_t walks, frames_walked, full_walks;
};

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
  uint32_t WalkOut(const CallerState& caller, uint32_t max_depth,
                   StackTable* table);
  uint32_t Remember(uint32_t kept, uint32_t fresh, uint32_t fresh_slots,
                    uint32_t root, bool remember, StackTable* table);
  void KeepTwig(uint32_t kept);

  WalkerMemo* memo_;
  WalkStats stats_;
  WalkerRoom room_;
};

// Forgets every rule whose pc lies in [start, end) and, through the code epoch,
// every thread's memo: called after a module went away.
void ForgetCode(uint64_t start, uint64_t end);

// Verify mode (verify.h): loads libunwind with dlopen(RTLD_LOCAL) and compares
// every walk of the process with it; results go to the header of the stack table's
// image. False and a message in *error when it can't be loaded.
// REQUIRES: called outside malloc, from the library's constructor.
bool EnableVerify(const char** error);

}  // namespace mallogram
