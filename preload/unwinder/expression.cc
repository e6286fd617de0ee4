#include "preload/unwinder/expression.h"

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
    case 0x1a:
      Push(a & b);
      return true;
    case 0x1b:  // signed division; the one that overflows traps
      if (sb == 0 || (sb == -1 && a == uint64_t{1} << 63)) return false;
      Push(static_cast<uint64_t>(sa / sb));
      return true;
    case 0x1c:
      Push(a - b);
      return true;
    case 0x1d:
      if (b == 0) return false;
      Push(a % b);
      return true;
    case 0x1e:
      Push(a * b);
      return true;
    case 0x21:
      Push(a | b);
      return true;
    case 0x22:
      Push(a + b);
      return true;
    case 0x24:
      Push(b < 64 ? a << b : 0);
      return true;
    case 0x25:
      Push(b < 64 ? a >> b : 0);
      return true;
    case 0x26:
      Push(static_cast<uint64_t>(sa >> (b < 64 ? b : 63)));
      return true;
    case 0x27:
      Push(a ^ b);
      return true;
    case 0x29:
      Push(sa == sb);
      return true;
    case 0x2a:
      Push(sa >= sb);
      return true;
    case 0x2b:
      Push(sa > sb);
      return true;
    case 0x2c:
      Push(sa <= sb);
      return true;
    case 0x2d:
      Push(sa < sb);
      return true;
    case 0x2e:
      Push(sa != sb);
      return true;
    default:
      return false;
  }
}

bool Machine::Step(uint8_t op) {
  if (op >= 0x30 && op <= 0x4f) {  // lit0…lit31
    Push(op - 0x30u);
    return true;
  }
  if (op >= 0x50 && op <= 0x6f) {  // reg0…reg31: here it means the value
    PushRegister(op - 0x50u, 0);
    return true;
  }
  if (op >= 0x70 && op <= 0x8f) {  // breg0…breg31
    PushRegister(op - 0x70u, reader_.Sleb());
    return true;
  }
  switch (op) {
    case 0x03:
      Push(reader_.Fixed<uint64_t>());
      return true;  // addr
    case 0x06:
      Load(Pop(), 8);
      return true;
    case 0x94: {  // deref_size
      const uint8_t bytes = reader_.U8();
      Load(Pop(), bytes);
      return true;
    }
    case 0x08:
      Push(reader_.U8());
      return true;
    case 0x09:
      Push(static_cast<uint64_t>(int64_t{reader_.Fixed<int8_t>()}));
      return true;
    case 0x0a:
      Push(reader_.Fixed<uint16_t>());
      return true;
    case 0x0b:
      Push(static_cast<uint64_t>(int64_t{reader_.Fixed<int16_t>()}));
      return true;
    case 0x0c:
      Push(reader_.Fixed<uint32_t>());
      return true;
    case 0x0d:
      Push(static_cast<uint64_t>(int64_t{reader_.Fixed<int32_t>()}));
      return true;
    case 0x0e:
    case 0x0f:
      Push(reader_.Fixed<uint64_t>());
      return true;
    case 0x10:
      Push(reader_.Uleb());
      return true;
    case 0x11:
      Push(static_cast<uint64_t>(reader_.Sleb()));
      return true;
    case 0x12:
      Pick(0);
      return true;
    case 0x13:
      Pop();
      return true;
    case 0x14:
      Pick(1);
      return true;
    case 0x15:
      Pick(reader_.U8());
      return true;
    case 0x16: {  // swap
      const uint64_t b = Pop(), a = Pop();
      Push(b);
      Push(a);
      return true;
    }
    case 0x17: {  // rot: the top goes below the next two
      const uint64_t c = Pop(), b = Pop(), a = Pop();
      Push(c);
      Push(a);
      Push(b);
      return true;
    }
    case 0x19: {  // abs
      const uint64_t a = Pop();
      Push(static_cast<int64_t>(a) < 0 ? -a : a);
      return true;
    }
    case 0x1f:
      Push(-Pop());
      return true;
    case 0x20:
      Push(~Pop());
      return true;
    case 0x23: {  // plus_uconst
      const uint64_t addend = reader_.Uleb();
      Push(Pop() + addend);
      return true;
    }
    case 0x28: {  // bra
      const int16_t delta = reader_.Fixed<int16_t>();
      if (Pop() != 0) reader_.Jump(delta, begin_);
      return true;
    }
    case 0x2f:
      reader_.Jump(reader_.Fixed<int16_t>(), begin_);
      return true;  // skip
    case 0x90:
      PushRegister(reader_.Uleb(), 0);
      return true;  // regx
    case 0x92: {    // bregx
      const uint64_t reg = reader_.Uleb();
      PushRegister(reg, reader_.Sleb());
      return true;
    }
    case 0x96:
      return true;  // nop
    default:
      return Binary(op);
  }
}

bool MatchBase(DwarfExpression expression, int reg, int64_t* offset, bool deref) {
  DwarfReader reader(expression.code, expression.code + expression.bytes);
  if (reader.U8() != 0x70 + reg) return false;
  *offset = reader.Sleb();
  if (deref && reader.U8() != 0x06) return false;
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
