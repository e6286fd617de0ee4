// MALLOGRAM_VERIFY=1: libunwind as oracle. Every walk is compared, pc by pc, with
// unw_backtrace; differences are counted by class in ImageHeader.verify_class, the
// first unexplained one is described in ImageHeader.verify_first.
//
// libunwind takes the loader's lock (dl_iterate_phdr) and costs microseconds a
// frame; both are accepted in this mode and nowhere else.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/unwinder/walker.h"

namespace mallogram {

enum class VerifyClass : int {
  kEqual = 0,
  kUnexplained = 1,         // must stay 0
  kOracleStoppedEarly = 2,  // libunwind's frames are a proper inner part of ours
  kOracleLimit = 3,         // longer than the buffer given to libunwind
  kCut = 4,                 // ours ends at --max-depth (or for want of memory)
  kOracleGuessed = 5,       // both left CFI; libunwind's guesses go elsewhere
};
// Name and reason, for tables.
const char* VerifyClassName(VerifyClass verify_class);

extern std::atomic<bool> g_verify_walks;
// libunwind is at work in this thread: what it allocates is not the program's, and
// recording it would ask libunwind again.
extern thread_local constinit bool t_in_oracle;

// Compares `stack`, the result of a walk from `caller`. *buffer belongs to the
// walker and is mapped here when it is nullptr.
void VerifyWalk(const CallerState& caller, uint32_t stack, const StackTable& table,
                void*** buffer);

// Frames that libunwind is asked for.
inline constexpr int kOracleFrames = 1 << 17;

}  // namespace mallogram
