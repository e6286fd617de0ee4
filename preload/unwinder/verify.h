// MALLOGRAM_VERIFY=1: libunwind as oracle. Every walk is compared, pc by pc, with
// unw_backtrace; differences are counted by class in ImageHeader.verify_class, the
// first unexplained one is described in ImageHeader.verify_first.
//
// libunwind takes the loader's lock (dl_iterate_phdr) and costs microseconds a
// frame; both are accepted in this mode and nowhere else.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/stack_table.h"
#include "preload/unwinder/frame_step.h"

namespace mallogram {

// Classes of result. tests/unwinder/verify_programs.py names them in its table.
enum class VerifyClass : int {
  kEqual = 0,
  kUnexplained = 1,  // must stay 0
  // libunwind's frames are a proper inner part of ours: it gave up where we found
  // more (a return address kept in a register, rbp chains longer than it trusts).
  kOracleStoppedEarly = 2,
  // The stack has more frames than the buffer given to libunwind.
  kOracleLimit = 3,
  // Ours ends at --max-depth, or for want of memory.
  kCut = 4,
  // Both left CFI and guess by frame pointers, with different plausibility checks.
  kOracleGuessed = 5,
};

extern std::atomic<bool> g_verify_walks;
// libunwind is at work in this thread: what it allocates is not the program's, and
// recording it would ask libunwind again.
extern thread_local constinit bool t_in_oracle;

// Compares `stack`, the result of a walk from `caller`. *buffer belongs to the
// walker and is mapped here when it is nullptr.
void VerifyWalk(const CallerState& caller, uint32_t stack, const StackTable& table,
                void*** buffer);

// Verify mode: loads libunwind with dlopen(RTLD_LOCAL) and compares every walk of
// the process with it; results go to the header of the stack table's image. False
// and a message in *error when it can't be loaded.
// REQUIRES: called outside malloc, from the library's constructor.
bool EnableVerify(const char** error);

// Frames that libunwind is asked for.
inline constexpr int kOracleFrames = 1 << 17;

}  // namespace mallogram
