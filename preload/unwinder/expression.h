// DWARF expressions, as far as call frame information may use them (no pieces,
// no calls, no frame base).
#pragma once

#include <cstdint>

#include "preload/unwinder/cfi.h"

namespace mallogram {

class StackGuard;

// Register values of one frame. `known` has a bit for each register whose value
// is that of the frame; reading another one fails.
struct RegisterFile {
  uint64_t value[kDwarfRegisters];
  uint32_t known;

  bool Has(uint64_t reg) const {
    return reg < kDwarfRegisters && ((known >> reg) & 1) != 0;
  }
  void Put(int reg, uint64_t v) {
    value[reg] = v;
    known |= 1u << reg;
  }
};

// How an expression may read memory.
enum class Deref { kNever, kPlain, kGuarded };

// Evaluates with `initial`, if any, on the stack (register rules start with the
// CFA). `guard` is needed for kGuarded only. False: not evaluable.
bool EvaluateExpression(DwarfExpression expression, const RegisterFile& registers,
                        const uint64_t* initial, Deref deref, StackGuard* guard,
                        uint64_t* result);

// Matches an expression that is exactly `breg<reg> offset`.
bool IsBaseOffset(DwarfExpression expression, int reg, int64_t* offset);
// Matches exactly `breg<reg> offset; deref`.
bool IsBaseOffsetDeref(DwarfExpression expression, int reg, int64_t* offset);

}  // namespace mallogram
