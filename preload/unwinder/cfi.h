// Call frame information: from a pc to the full unwind row of its frame.
//
// Reads .eh_frame_hdr and .eh_frame of a loaded module in place. Knows the
// whole of DWARF 2–5 CFI that compilers and hand-written assembly emit for
// x86-64; anything else (unknown opcode, unknown augmentation) is "no CFI".
// Stateless and freestanding: safe in signal handlers.
#pragma once

#include <cstdint>

#include "preload/modules.h"

namespace mallogram {

// DWARF register numbers of x86-64. Vector registers are never needed.
inline constexpr int kRbx = 3, kRbp = 6, kRsp = 7, kRa = 16;
inline constexpr int kDwarfRegisters = 17;

struct DwarfExpression {
  const uint8_t* code;
  uint64_t bytes;
};

struct RegisterRule {
  enum Kind : uint8_t {
    kSame = 0,  // also "unspecified": callee-saved by the ABI
    kUndefined,
    kOffset,         // saved at CFA + offset
    kValOffset,      // is CFA + offset
    kRegister,       // is in register `offset`
    kExpression,     // saved at the value of the expression
    kValExpression,  // is the value of the expression
  };
  Kind kind;
  uint32_t expression_bytes;
  union {
    int64_t offset;
    const uint8_t* expression;
  };
};

struct UnwindRow {
  bool cfa_is_expression;
  bool signal_frame;  // 'S': the outer pc is exact, not a return address
  uint8_t return_register;
  uint8_t cfa_register;
  int64_t cfa_offset;
  DwarfExpression cfa_expression;
  RegisterRule registers[kDwarfRegisters];
};

// One FDE, parsed together with its CIE.
struct FrameEntry {
  uint64_t pc_begin, pc_end;
  const uint8_t* cie_code;
  const uint8_t* cie_code_end;
  const uint8_t* code;
  const uint8_t* code_end;
  uint64_t code_align;
  int64_t data_align;
  uint8_t pointer_encoding;
  uint8_t return_register;
  bool signal_frame;
  bool augmented;  // 'z': FDEs have augmentation data of their own
};

// The FDE that covers `pc` (for a return address: pc - 1).
bool FindFrameEntry(const CodeModule& module, uint64_t pc, FrameEntry* entry);

// Parses the FDE at `fde`; false if it is a CIE, the terminator or malformed.
// *next: the following entry, or nullptr at the section's end. `end` bounds all
// reads.
bool ParseFrameEntry(const uint8_t* fde, const uint8_t* end, FrameEntry* entry,
                     const uint8_t** next);

// Executes the entry's instructions up to `pc`. False: not understood.
bool ExecuteCfi(const FrameEntry& entry, uint64_t pc, UnwindRow* row);

}  // namespace mallogram
