#include "preload/unwinder/steps.h"

namespace mallogram {
namespace {

StepResult Stop(StepEnd end, uint32_t slots) { return {{}, slots, end}; }

// Reads one word into *value and notes it. False: not readable.
bool ReadSlot(uint64_t address, bool guarded, StackGuard* guard, MemoSlot* slot,
              uint64_t* value) {
  if (!guarded) {
    __builtin_memcpy(value, reinterpret_cast<const void*>(address), sizeof(*value));
  } else if (!guard->Read(address, value)) {
    return false;
  }
  *slot = {reinterpret_cast<const uint64_t*>(address), *value};
  return true;
}

// Any rule of rsp and rbp, with care where the state asks for it.
StepResult StepSpecial(const FrameState& state, Rule rule, StackGuard* guard,
                       MemoSlot* slots) {
  const bool guarded = (state.key & kGuardedWalk) != 0;
  const uint64_t inherited = state.key & kGuardedWalk;
  uint64_t ra, sp, bp = state.bp;
  if (rule.kind() == Rule::kSignal) {
    if (!ReadSlot(state.sp + kSignalRsp, guarded, guard, &slots[0], &sp) ||
        !ReadSlot(state.sp + kSignalRip, guarded, guard, &slots[1], &ra) ||
        !ReadSlot(state.sp + kSignalRbp, guarded, guard, &slots[2], &bp)) {
      return Stop(StepEnd::kStopped, 0);
    }
    const StepEnd end = CheckReturnAddress(ra);
    return {{ra | kExactPc | kGuardedWalk, sp, bp}, 3, end};
  }
  uint32_t count = 0;
  if (rule.kind() == Rule::kDrap) {
    if (!ReadSlot(state.bp + rule.cfa_offset(), guarded, guard, &slots[count++],
                  &sp)) {
      return Stop(StepEnd::kStopped, 0);
    }
  } else {
    sp = (rule.base_rbp() ? state.bp : state.sp) + rule.cfa_offset();
  }
  if (!ReadSlot(sp - 8, guarded, guard, &slots[count], &ra)) {
    return Stop(StepEnd::kStopped, count);
  }
  ++count;
  const bool drap = rule.kind() == Rule::kDrap;
  if (drap || rule.saved_rbp()) {
    const uint64_t address = (drap ? state.bp : sp) + rule.rbp_offset();
    if (!ReadSlot(address, guarded, guard, &slots[count], &bp)) {
      return Stop(StepEnd::kStopped, count);
    }
    ++count;
  }
  return {{ra | inherited, sp, bp}, count, CheckReturnAddress(ra)};
}

}  // namespace

StepResult StepSlow(const FrameState& state, Rule rule, StackGuard* guard,
                    FullWalk* full, WalkStats* stats, MemoSlot* slots) {
  StepResult result;
  guard->Reset();
  switch (rule.kind()) {
    case Rule::kOutermost:
      return Stop(StepEnd::kComplete, 0);
    case Rule::kComplex: {
      // The registers it needs come from inner frames: never from the memo.
      slots[0] = kBarrier;
      if (!full->started()) {
        ++stats->full_walks;
        if (!full->Start(state, guard)) return Stop(StepEnd::kStopped, 1);
      } else if (!full->AdvanceTo(state, guard)) {
        return Stop(StepEnd::kStopped, 1);
      }
      // *full stays at this frame: its step may have to be taken again.
      FullWalk beyond = *full;
      const StepEnd end = beyond.Step(guard);
      return {beyond.state(), 1, end};
    }
    case Rule::kGuess: {
      FrameState next{};
      StepEnd end = GuessStep(state, guard, &next);
      const bool stopped = end == StepEnd::kStopped;
      if (stopped && IsPlantedEnd(state.key)) end = StepEnd::kComplete;
      // A bp below sp was refused unread; otherwise two slots decided.
      const auto* frame = reinterpret_cast<const uint64_t*>(state.bp);
      if (state.bp < state.sp || (state.bp & 7) != 0) return Stop(end, 0);
      if (guard->unstable() || stopped) {
        slots[0] = kBarrier;
        return {next, 1, end};
      }
      slots[0] = {frame, frame[0]};
      slots[1] = {frame + 1, frame[1]};
      return {next, 2, end};
    }
    default:
      result = StepSpecial(state, rule, guard, slots);
  }
  if (guard->unstable()) {
    slots[0] = kBarrier;
    result.slots = 1;
  }
  return result;
}

}  // namespace mallogram
