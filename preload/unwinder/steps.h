// Steps outward by compiled rules, and the slots that they read.
#pragma once

#include "preload/unwinder/frame_step.h"
#include "preload/unwinder/full_walk.h"
#include "preload/unwinder/memo.h"
#include "preload/unwinder/rules.h"

namespace mallogram {

struct StepResult {
  FrameState next;
  uint32_t slots;  // stored in reading order
  StepEnd end;
};

// The common rule, unguarded: two loads.
// REQUIRES: rule.simple(); the state is not guarded.
[[gnu::always_inline]] inline StepResult StepSimple(const FrameState& state,
                                                    Rule rule, MemoSlot* slots) {
  const uint64_t cfa = (rule.base_rbp() ? state.bp : state.sp) + rule.cfa_offset();
  const auto* ra_slot = reinterpret_cast<const uint64_t*>(cfa - 8);
  const uint64_t ra = *ra_slot;
  slots[0] = {ra_slot, ra};
  StepResult result{{ra, cfa, state.bp}, 1, CheckReturnAddress(ra)};
  if (rule.saved_rbp()) {
    const auto* bp_slot =
        reinterpret_cast<const uint64_t*>(cfa + rule.rbp_offset());
    result.next.bp = *bp_slot;
    slots[1] = {bp_slot, result.next.bp};
    result.slots = 2;
  }
  return result;
}

// Any rule, with care where the state asks for it.
StepResult StepSlow(const FrameState& state, Rule rule, StackGuard* guard,
                    FullWalk* full, WalkStats* stats, MemoSlot* slots);

}  // namespace mallogram
