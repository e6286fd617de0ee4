#include "preload/unwinder/outward.h"

#include "preload/unwinder/steps.h"

namespace mallogram {
namespace {

// As deep as a stack can be.
constexpr int kMaxFrames = 1 << 22;

}  // namespace

[[gnu::noinline]] Met LookFor(const CallerState& from, const CallerState& to) {
  StackGuard guard{};
  guard.StartWalk();
  FullWalk full;
  WalkStats stats{};
  FrameState state{from.pc, from.sp, from.bp};
  for (int i = 0; i < kMaxFrames; ++i) {
    if (state.sp == to.sp && (state.key & kPcMask) == to.pc) return Met::kFrame;
    if ((state.key & kExactPc) != 0) return Met::kSignal;
    const Rule rule = LookupRule(state.key);
    MemoSlot slots[kSlotsPerFrame];
    const StepResult step =
        rule.simple() && (state.key & kGuardedWalk) == 0
            ? StepSimple(state, rule, slots)
            : StepSlow(state, rule, &guard, &full, &stats, slots);
    if (step.end == StepEnd::kComplete) return Met::kEnd;
    if (step.end != StepEnd::kNotYet) return Met::kNoWay;
    state = step.next;
  }
  return Met::kNoWay;
}

}  // namespace mallogram
