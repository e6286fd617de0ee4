#include "preload/unwinder/expression.h"

#include <dwarf.h>

#include "preload/unwinder/dwarf_reader.h"
#include "preload/unwinder/stack_guard.h"

namespace mallogram {
namespace {

constexpr int kStackDepth = 32;
constexpr int kMaxSteps = 10000;  // a loop in an expression must end

class Machine {
 public:
  Machine(DwarfExpression expression, const RegisterFile& registers, Deref deref,
          StackGuard* guard)
      : begin_(expression.code),
        reader_(expression.code, expression.code + expression.bytes),
        registers_(registers),
        deref_(deref),
        guard_(guard) {}

  bool Run(const uint64_t* initial, uint64_t* result) {
    if (initial != nullptr) Push(*initial);
    for (int step = 0; !reader_.AtEnd(); ++step) {
      if (step == kMaxSteps || !Step(reader_.U8()) || !reader_.ok() || !ok_)
        return false;
    }
    *result = Pop();
    return ok_;
  }

 private:
  void Push(uint64_t value) {
    if (depth_ == kStackDepth) {
      ok_ = false;
    } else {
      stack_[depth_++] = value;
    }
  }
  uint64_t Pop() {
    if (depth_ == 0) {
      ok_ = false;
      return 0;
    }
    return stack_[--depth_];
  }
  void Pick(int index) {
    if (index < depth_) {
      Push(stack_[depth_ - 1 - index]);
    } else {
      ok_ = false;
    }
  }
  void PushRegister(uint64_t reg, int64_t offset) {
    if (registers_.Has(reg)) {
      Push(registers_.value[reg] + static_cast<uint64_t>(offset));
    } else {
      ok_ = false;
    }
  }
  void Load(uint64_t address, unsigned bytes) {
    uint64_t word = 0;
    if (deref_ == Deref::kNever || bytes == 0 || bytes > 8) {
      ok_ = false;
    } else if (deref_ == Deref::kPlain) {
      __builtin_memcpy(&word, reinterpret_cast<const void*>(address), bytes);
    } else if (guard_->Read(address, &word)) {
      if (bytes < 8) word &= (uint64_t{1} << (bytes * 8)) - 1;
    } else {
      ok_ = false;
    }
    Push(word);
  }

  bool Step(uint8_t op);
  bool PushConstant(uint8_t op);
  bool Rearrange(uint8_t op);
  bool Binary(uint8_t op);

  const uint8_t* begin_;
  DwarfReader reader_;
  const RegisterFile& registers_;
  const Deref deref_;
  StackGuard* const guard_;
  uint64_t stack_[kStackDepth];
  int depth_ = 0;
  bool ok_ = true;
};

bool Machine::Binary(uint8_t op) {
  const uint64_t b = Pop(), a = Pop();
  const auto sa = static_cast<int64_t>(a), sb = static_cast<int64_t>(b);
  switch (op) {
    case DW_OP_and:
      Push(a & b);
      return true;
    case DW_OP_div:  // the one that overflows traps
      if (sb == 0 || (sb == -1 && a == uint64_t{1} << 63)) return false;
      Push(static_cast<uint64_t>(sa / sb));
      return true;
    case DW_OP_minus:
      Push(a - b);
      return true;
    case DW_OP_mod:
      if (b == 0) return false;
      Push(a % b);
      return true;
    case DW_OP_mul:
      Push(a * b);
      return true;
    case DW_OP_or:
      Push(a | b);
      return true;
    case DW_OP_plus:
      Push(a + b);
      return true;
    case DW_OP_shl:
      Push(b < 64 ? a << b : 0);
      return true;
    case DW_OP_shr:
      Push(b < 64 ? a >> b : 0);
      return true;
    case DW_OP_shra:
      Push(static_cast<uint64_t>(sa >> (b < 64 ? b : 63)));
      return true;
    case DW_OP_xor:
      Push(a ^ b);
      return true;
    case DW_OP_eq:
      Push(sa == sb);
      return true;
    case DW_OP_ge:
      Push(sa >= sb);
      return true;
    case DW_OP_gt:
      Push(sa > sb);
      return true;
    case DW_OP_le:
      Push(sa <= sb);
      return true;
    case DW_OP_lt:
      Push(sa < sb);
      return true;
    case DW_OP_ne:
      Push(sa != sb);
      return true;
    default:
      return false;
  }
}

// False: another kind of op.
bool Machine::PushConstant(uint8_t op) {
  switch (op) {
    case DW_OP_addr:
      Push(reader_.Fixed<uint64_t>());
      return true;
    case DW_OP_const1u:
      Push(reader_.U8());
      return true;
    case DW_OP_const1s:
      Push(static_cast<uint64_t>(int64_t{reader_.Fixed<int8_t>()}));
      return true;
    case DW_OP_const2u:
      Push(reader_.Fixed<uint16_t>());
      return true;
    case DW_OP_const2s:
      Push(static_cast<uint64_t>(int64_t{reader_.Fixed<int16_t>()}));
      return true;
    case DW_OP_const4u:
      Push(reader_.Fixed<uint32_t>());
      return true;
    case DW_OP_const4s:
      Push(static_cast<uint64_t>(int64_t{reader_.Fixed<int32_t>()}));
      return true;
    case DW_OP_const8u:
    case DW_OP_const8s:
      Push(reader_.Fixed<uint64_t>());
      return true;
    case DW_OP_constu:
      Push(reader_.Uleb());
      return true;
    case DW_OP_consts:
      Push(static_cast<uint64_t>(reader_.Sleb()));
      return true;
    default:
      return false;
  }
}

// Ops that only rearrange the stack. False: another kind of op.
bool Machine::Rearrange(uint8_t op) {
  switch (op) {
    case DW_OP_dup:
      Pick(0);
      return true;
    case DW_OP_drop:
      Pop();
      return true;
    case DW_OP_over:
      Pick(1);
      return true;
    case DW_OP_pick:
      Pick(reader_.U8());
      return true;
    case DW_OP_swap: {
      const uint64_t b = Pop(), a = Pop();
      Push(b);
      Push(a);
      return true;
    }
    case DW_OP_rot: {  // the top goes below the next two
      const uint64_t c = Pop(), b = Pop(), a = Pop();
      Push(c);
      Push(a);
      Push(b);
      return true;
    }
    default:
      return false;
  }
}

bool Machine::Step(uint8_t op) {
  if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
    Push(uint64_t{op} - DW_OP_lit0);
    return true;
  }
  if (op >= DW_OP_reg0 && op <= DW_OP_reg31) {  // here: its value
    PushRegister(uint64_t{op} - DW_OP_reg0, 0);
    return true;
  }
  if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
    PushRegister(uint64_t{op} - DW_OP_breg0, reader_.Sleb());
    return true;
  }
  switch (op) {
    case DW_OP_deref:
      Load(Pop(), 8);
      return true;
    case DW_OP_deref_size: {
      const uint8_t bytes = reader_.U8();
      Load(Pop(), bytes);
      return true;
    }
    case DW_OP_abs: {
      const uint64_t a = Pop();
      Push(static_cast<int64_t>(a) < 0 ? -a : a);
      return true;
    }
    case DW_OP_neg:
      Push(-Pop());
      return true;
    case DW_OP_not:
      Push(~Pop());
      return true;
    case DW_OP_plus_uconst: {
      const uint64_t addend = reader_.Uleb();
      Push(Pop() + addend);
      return true;
    }
    case DW_OP_bra: {
      const int16_t delta = reader_.Fixed<int16_t>();
      if (Pop() != 0) reader_.Jump(delta, begin_);
      return true;
    }
    case DW_OP_skip:
      reader_.Jump(reader_.Fixed<int16_t>(), begin_);
      return true;
    case DW_OP_regx:
      PushRegister(reader_.Uleb(), 0);
      return true;
    case DW_OP_bregx: {
      const uint64_t reg = reader_.Uleb();
      PushRegister(reg, reader_.Sleb());
      return true;
    }
    case DW_OP_nop:
      return true;
    default:
      return PushConstant(op) || Rearrange(op) || Binary(op);
  }
}

bool MatchBase(DwarfExpression expression, int reg, int64_t* offset, bool deref) {
  DwarfReader reader(expression.code, expression.code + expression.bytes);
  if (reader.U8() != DW_OP_breg0 + reg) return false;
  *offset = reader.Sleb();
  if (deref && reader.U8() != DW_OP_deref) return false;
  return reader.ok() && reader.AtEnd();
}

}  // namespace

bool EvaluateExpression(DwarfExpression expression, const RegisterFile& registers,
                        const uint64_t* initial, Deref deref, StackGuard* guard,
                        uint64_t* result) {
  Machine machine(expression, registers, deref, guard);
  return machine.Run(initial, result);
}

bool IsBaseOffset(DwarfExpression expression, int reg, int64_t* offset) {
  return MatchBase(expression, reg, offset, false);
}

bool IsBaseOffsetDeref(DwarfExpression expression, int reg, int64_t* offset) {
  return MatchBase(expression, reg, offset, true);
}

}  // namespace mallogram
