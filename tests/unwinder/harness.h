// What the unwinder tests share: a stack table without a recorder, a call that
// looks to the unwinder like an interposed function, and the two oracles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preload/image.h"
#include "preload/stack_table.h"
#include "preload/unwinder/memo.h"
#include "preload/unwinder/walker.h"

namespace mallogram::testing {

// The process-wide table, made at first use.
StackTable* Table();
ImageHeader* Header();
ModuleSlot* Modules();
std::string ModulePath(uint32_t index);

// A stack as return addresses, innermost first. Interrupted frames as libunwind
// reports them (see walker.h).
using Pcs = std::vector<uint64_t>;

Pcs PcsOf(uint32_t stack);
uint32_t RootOf(uint32_t stack);
// libunwind's and glibc's frames from `caller_pc` outward.
Pcs OracleFrom(uint64_t caller_pc, int limit = 1 << 18);
Pcs BacktraceFrom(uint64_t caller_pc);
std::string Describe(const Pcs& ours, const Pcs& theirs);

// Registers of the caller of the function in which this is expanded, as
// interpose.cc takes them.
#define TEST_CALLER_STATE()                                          \
  ::mallogram::CallerState {                                         \
    reinterpret_cast<uint64_t>(__builtin_return_address(0)),         \
        reinterpret_cast<uint64_t>(__builtin_frame_address(0)) + 16, \
        *static_cast<const uint64_t*>(__builtin_frame_address(0))    \
  }

// Plain walk: one with a walker that remembers nothing.
uint32_t PlainWalk(const CallerState& caller);

enum class Oracle { kNone, kLibunwind, kGlibc };

// Looks like malloc to its caller: walks with `walker` and compares with a plain
// walk and an oracle. Counts into the fields below.
struct Checker {
  Walker walker{};
  uint64_t walks = 0, differences = 0;
  Oracle oracle = Oracle::kLibunwind;
  bool use_plain = true;
  std::string first_difference;
  uint32_t last = 0;

  [[gnu::noinline]] void Check();
};

// Breaks the memo on purpose: none of its slots is compared any more.
void PlantStaleMemo(Walker* walker);

}  // namespace mallogram::testing
