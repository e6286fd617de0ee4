#include "preload/unwinder/full_walk.h"

#include "preload/modules.h"
#include "preload/unwinder/cfi.h"

namespace mallogram {
namespace {

// The library's own frames and whatever the compiler made of them: far fewer.
constexpr int kMaxAdvance = 1 << 26;

// Frames between a function of the C library and a callback of ours.
constexpr int kMaxCallback = 64;

// The registers of the function that this is inlined into.
[[gnu::always_inline]] inline void CaptureRegisters(RegisterFile* file) {
  uint64_t rbx, rbp, rsp, r12, r13, r14, r15, pc;
  // One statement, so that all of it holds at one pc.
  asm volatile(
      "mov %%rbx, %0\n\tmov %%rbp, %1\n\tmov %%rsp, %2\n\tmov %%r12, %3\n\t"
      "mov %%r13, %4\n\tmov %%r14, %5\n\tmov %%r15, %6\n\t"
      "lea 0f(%%rip), %%rax\n\tmov %%rax, %7\n0:"
      : "=m"(rbx), "=m"(rbp), "=m"(rsp), "=m"(r12), "=m"(r13), "=m"(r14), "=m"(r15),
        "=m"(pc)
      :
      : "rax");
  file->known = 0;
  file->Put(kRbx, rbx);
  file->Put(kRbp, rbp);
  file->Put(kRsp, rsp);
  file->Put(12, r12);
  file->Put(13, r13);
  file->Put(14, r14);
  file->Put(15, r15);
  file->Put(kRa, pc);
}

}  // namespace

StepEnd GuessStep(const FrameState& state, StackGuard* guard, FrameState* next) {
  const uint64_t frame = state.bp;
  // The ABI's mark of the outermost frame; the loader's own start has no other.
  if (frame == 0) return StepEnd::kComplete;
  if (frame < state.sp || (frame & 7) != 0) return StepEnd::kStopped;
  uint64_t ra, bp;
  if (!guard->Read(frame, &bp) || !guard->Read(frame + 8, &ra))
    return StepEnd::kStopped;
  const StepEnd end = CheckReturnAddress(ra);
  if (end != StepEnd::kNotYet) return end;
  // Code outside every module is JIT code if the chain of frame pointers goes on,
  // else rbp was no frame pointer.
  CodeModule module;
  if (bp <= frame && !FindModule(ra - 1, &module)) return StepEnd::kStopped;
  *next = {ra | kGuardedWalk, frame + 16, bp};
  return StepEnd::kNotYet;
}

FrameState FullWalk::state() const {
  return {registers_.value[kRa] | flags_, registers_.value[kRsp],
          registers_.value[kRbp]};
}

bool FullWalk::Start(const FrameState& target, StackGuard* guard) {
  CaptureRegisters(&registers_);
  flags_ = kExactPc;
  started_ = AdvanceTo(target, guard);
  return started_;
}

bool FullWalk::StartBeyond(uint64_t start, uint64_t end, StackGuard* guard) {
  CaptureRegisters(&registers_);
  flags_ = kExactPc;
  bool met = false;
  for (int i = 0; i < kMaxCallback; ++i) {
    const uint64_t pc = registers_.value[kRa] - 1;
    const bool inside = pc - start < end - start;
    if (met && !inside) return started_ = true;
    met = met || inside;
    if (Step(guard) != StepEnd::kNotYet) return false;
  }
  return false;
}

bool FullWalk::AdvanceTo(const FrameState& target, StackGuard* guard) {
  for (int i = 0; i < kMaxAdvance; ++i) {
    if (registers_.value[kRa] == (target.key & kPcMask) &&
        registers_.value[kRsp] == target.sp) {
      flags_ |= target.key & kGuardedWalk;
      return true;
    }
    if (Step(guard) != StepEnd::kNotYet) return false;
  }
  return false;
}

bool FullWalk::Read(uint64_t address, StackGuard* guard, uint64_t* value) const {
  if ((flags_ & kGuardedWalk) != 0) return guard->Read(address, value);
  __builtin_memcpy(value, reinterpret_cast<const void*>(address), sizeof(*value));
  return true;
}

// The value that `reg` had in the outer frame; false if it can't be known.
bool FullWalk::Compute(const RegisterRule& rule, int reg, uint64_t cfa,
                       StackGuard* guard, uint64_t* value) const {
  const Deref deref =
      (flags_ & kGuardedWalk) != 0 ? Deref::kGuarded : Deref::kPlain;
  const auto cfa_plus = cfa + static_cast<uint64_t>(rule.offset);
  const DwarfExpression expression{rule.expression, rule.expression_bytes};
  switch (rule.kind) {
    case RegisterRule::kSame:
      *value = reg == kRsp ? cfa : registers_.value[reg];
      return reg == kRsp || registers_.Has(static_cast<uint64_t>(reg));
    case RegisterRule::kUndefined:
      return false;
    case RegisterRule::kOffset:
      return Read(cfa_plus, guard, value);
    case RegisterRule::kValOffset:
      *value = cfa_plus;
      return true;
    case RegisterRule::kRegister: {
      const auto source = static_cast<uint64_t>(rule.offset);
      if (!registers_.Has(source)) return false;
      *value = registers_.value[source];
      return true;
    }
    case RegisterRule::kExpression: {
      uint64_t address;
      return EvaluateExpression(expression, registers_, &cfa, deref, guard,
                                &address) &&
             Read(address, guard, value);
    }
    case RegisterRule::kValExpression:
      return EvaluateExpression(expression, registers_, &cfa, deref, guard, value);
  }
  return false;
}

StepEnd FullWalk::Step(StackGuard* guard) {
  const FrameState here = state();
  const uint64_t lookup = LookupPc(here.key);
  CodeModule module;
  FrameEntry entry;
  UnwindRow row;
  if (!FindModule(lookup, &module) || !FindFrameEntry(module, lookup, &entry) ||
      !ExecuteCfi(entry, lookup, &row)) {
    FrameState next;
    const StepEnd end = GuessStep(here, guard, &next);
    if (end != StepEnd::kNotYet) return end;
    registers_.known = 0;
    registers_.Put(kRa, next.key & kPcMask);
    registers_.Put(kRsp, next.sp);
    registers_.Put(kRbp, next.bp);
    flags_ = kGuardedWalk;
    return StepEnd::kNotYet;
  }
  const RegisterRule& ra_rule = row.registers[row.return_register];
  if (ra_rule.kind == RegisterRule::kUndefined) return StepEnd::kComplete;
  if (ra_rule.kind == RegisterRule::kSame) return StepEnd::kStopped;  // no rule

  uint64_t cfa;
  if (row.cfa_is_expression) {
    const Deref deref =
        (flags_ & kGuardedWalk) != 0 ? Deref::kGuarded : Deref::kPlain;
    if (!EvaluateExpression(row.cfa_expression, registers_, nullptr, deref, guard,
                            &cfa)) {
      return StepEnd::kStopped;
    }
  } else {
    if (!registers_.Has(row.cfa_register)) return StepEnd::kStopped;
    cfa =
        registers_.value[row.cfa_register] + static_cast<uint64_t>(row.cfa_offset);
  }
  RegisterFile outer{};
  outer.value[kRbp] = registers_.value[kRbp];  // as the fast walk sees it
  for (int reg = 0; reg < kRa; ++reg) {
    uint64_t value;
    if (Compute(row.registers[reg], reg, cfa, guard, &value)) outer.Put(reg, value);
  }
  uint64_t ra;
  if (!Compute(ra_rule, row.return_register, cfa, guard, &ra) || !outer.Has(kRsp)) {
    return StepEnd::kStopped;
  }
  const StepEnd end = CheckReturnAddress(ra);
  if (end != StepEnd::kNotYet) return end;
  outer.Put(kRa, ra);
  registers_ = outer;
  flags_ &= kGuardedWalk;
  // Beyond a signal frame the interrupted code may be anything.
  if (row.signal_frame) flags_ |= kExactPc | kGuardedWalk;
  return StepEnd::kNotYet;
}

}  // namespace mallogram
