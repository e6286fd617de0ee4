// A walk first asks the memo (memo.h): does the trunk end with this very stack, or
// does a twig lead to it? Else it steps outward until it meets the trunk, interns
// what is new and remembers it.
#include "preload/unwinder/walker.h"

#include "preload/unwinder/full_walk.h"
#include "preload/unwinder/memo.h"
#include "preload/unwinder/rules.h"
#include "preload/unwinder/steps.h"
#include "preload/unwinder/verify.h"

namespace mallogram {
namespace {

void CompilerBarrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// The frame among frames[0…inner] whose step read `slot`.
uint32_t FrameOfSlot(const MemoFrame* frames, uint32_t inner, uint32_t slot) {
  while (frames[inner].slots > slot) --inner;
  return inner;
}

// CompareSlots came to slot `changed`. If that slot is a barrier, the step of its
// frame is taken anew; if the step leads where it led before, the comparison goes
// on. Returns what CompareSlots returns.
[[gnu::noinline]] uint32_t PassBarriers(WalkerMemo* memo, uint32_t match,
                                        uint32_t changed, FullWalk* full,
                                        WalkStats* stats) {
  const MemoFrame* frames = memo->trunk.frames;
  while (changed != 0 && IsBarrier(memo->trunk.slots[changed])) {
    const uint32_t at = FrameOfSlot(frames, match, changed);
    // Its rbp is live: so does every step count that may leave a barrier.
    const FrameState state{frames[at].key & kStateMask, frames[at].sp,
                           frames[at].bp};
    MemoSlot slots[kSlotsPerFrame];
    const StepResult step =
        StepSlow(state, LookupRule(state.key), &memo->guard, full, stats, slots);
    ++stats->frames_walked;
    const bool same = step.end == StepEnd::kNotYet
                          ? at != 0 && SameState(frames[at - 1], step.next)
                          : at == 0 && step.end == memo->end;
    if (!same || step.slots != 1 || !IsBarrier(slots[0])) return changed;
    match = at;
    changed = CompareSlots(memo->trunk.slots, changed);
  }
  return changed;
}

uint64_t NodePc(uint64_t key) {
  return (key & kPcMask) + ((key & kExactPc) != 0 ? 1 : 0);
}

// Brent's: a state that comes back would come back for ever.
class LoopCheck {
 public:
  [[gnu::always_inline]] bool ComesBack(uint32_t frames, uint64_t sp) {
    if (frames >= at_) [[unlikely]] {
      at_ = 2 * frames;
      sp_ = sp;
      return false;
    }
    return sp == sp_ && sp_ != 0;
  }

 private:
  uint64_t sp_ = 0;
  uint32_t at_ = 1024;
};

}  // namespace

// The stack as remembered; 0: it has to be walked.
[[gnu::always_inline]] inline uint32_t Walker::Recall(const CallerState& caller) {
  // Acquire pairs with ForgetCode: with a new epoch, emptied rules are seen.
  const uint64_t epoch = g_code_epoch.load(std::memory_order_acquire);
  WalkerMemo* const memo = memo_;
  if (memo == nullptr || memo->epoch != epoch || memo->count == 0) [[unlikely]]
    return 0;
  const FrameState leaf{caller.pc, caller.sp, caller.bp};
  const uint32_t count = memo->count;
  const MemoFrame* const frames = memo->trunk.frames;
  if (SameState(frames[count - 1], leaf) &&
      CompareSlots(memo->trunk.slots, frames[count].slots) == 0) {
    return frames[count - 1].node;
  }
  const Rule rule = RecallRule(leaf.key);  // an invalid one is not simple
  if (!rule.simple() || memo->twigs == nullptr) [[unlikely]]
    return 0;
  MemoSlot slots[2];
  const StepResult step = StepSimple(leaf, rule, slots);
  if (step.end != StepEnd::kNotYet) [[unlikely]]
    return 0;
  const Twig* const set = TwigSet(memo, leaf.key, step.next);
  for (uint32_t way = 0; way < kTwigWays; ++way) {
    const uint32_t node = FollowTwig(*memo, set[way], leaf.key, step.next);
    if (node != 0) {
      ++stats_.frames_walked;
      return node;
    }
  }
  return 0;
}

uint32_t Walker::Walk(const CallerState& caller, uint32_t max_depth,
                      StackTable* table) {
  ++stats_.walks;
  uint32_t node = max_depth == 0 ? Recall(caller) : 0;
  if (node == 0) node = WalkOut(caller, max_depth, table);
  if (g_verify_walks.load(std::memory_order_relaxed)) [[unlikely]] {
    VerifyWalk(caller, node, *table, &memo_->oracle);
  }
  return node;
}

// The memo, made or emptied as need be, for a walk that begins now.
[[gnu::always_inline]] inline WalkerMemo* Walker::ReadyMemo(uint32_t max_depth) {
  if (memo_ == nullptr) [[unlikely]] {
    memo_ = NewMemo(&room_);
  }
  const uint64_t epoch = g_code_epoch.load(std::memory_order_acquire);
  if (memo_->epoch != epoch) [[unlikely]]
    ForgetWalks(memo_, epoch);
  if (max_depth != 0) [[unlikely]]
    memo_->count = 0;
  memo_->guard.StartWalk();
  return memo_;
}

// The walk proper.
[[gnu::noinline]] uint32_t Walker::WalkOut(const CallerState& caller,
                                           uint32_t max_depth, StackTable* table) {
  WalkerMemo& memo = *ReadyMemo(max_depth);
  const uint32_t limit = max_depth != 0 ? max_depth : kMaxMemoFrames;

  FullWalk full;
  FrameState state{caller.pc, caller.sp, caller.bp};
  uint32_t cursor = memo.count;  // trunk frames below it may still match
  uint32_t kept = 0;             // trunk frames that stay as they are
  uint32_t root = kRootComplete;
  uint32_t fresh = 0, fresh_slots = 0;
  LoopCheck loop;

  for (;;) {
    const MemoFrame* const frames = memo.trunk.frames;
    while (cursor != 0 && frames[cursor - 1].sp < state.sp) --cursor;
    if (cursor != 0 && SameState(frames[cursor - 1], state)) {
      const uint32_t match = cursor - 1;
      const MemoSlot* slots = memo.trunk.slots;
      uint32_t changed = CompareSlots(slots, frames[cursor].slots);
      if (changed != 0 && IsBarrier(slots[changed])) {
        changed = PassBarriers(&memo, match, changed, &full, &stats_);
      }
      if (changed == 0) [[likely]] {
        kept = cursor;
        break;
      }
      // The frame whose slot changed is reached by plain steps: its rbp may be
      // needed now and was not compared.
      cursor = FrameOfSlot(frames, match, changed);
      if (full.started()) full = FullWalk();  // it may stand further out already
    }
    if (fresh >= limit) [[unlikely]] {
      root = kRootCut;
      break;
    }
    if (fresh == memo.fresh.capacity && !Grow(&memo.fresh, fresh + 1))
        [[unlikely]] {
      root = kRootCut;
      break;
    }
    const Rule rule = LookupRule(state.key);
    MemoSlot* const slots = memo.fresh.slots + fresh_slots;
    FreshFrame& frame = memo.fresh.frames[fresh++];
    frame.key = state.key | rule.module_bits();
    frame.sp = state.sp;
    frame.bp = state.bp;
    frame.slots = fresh_slots;
    StepResult step;
    if (rule.simple() && (state.key & kGuardedWalk) == 0) [[likely]] {
      frame.bp_use = static_cast<uint32_t>(rule.kind()) & (kUsesBp | kSavesBp);
      step = StepSimple(state, rule, slots);
    } else {
      frame.bp_use = kUsesBp;
      step = StepSlow(state, rule, &memo.guard, &full, &stats_, slots);
    }
    fresh_slots += step.slots;
    if (step.end != StepEnd::kNotYet) [[unlikely]] {
      memo.end = step.end;
      root = step.end == StepEnd::kComplete ? kRootComplete : kRootStopped;
      break;
    }
    state = step.next;
    if (loop.ComesBack(fresh, state.sp)) [[unlikely]] {
      memo.end = StepEnd::kStopped;
      root = kRootStopped;
      break;
    }
  }
  stats_.frames_walked += fresh;
  const bool remember = max_depth == 0 && root != kRootCut;
  if (fresh != 0) return Remember(kept, fresh, fresh_slots, root, remember, table);
  return kept != 0 ? memo.trunk.frames[kept - 1].node : root;
}

// Interns the fresh frames on top of the kept ones and makes them the trunk's end.
uint32_t Walker::Remember(uint32_t kept, uint32_t fresh, uint32_t fresh_slots,
                          uint32_t root, bool remember, StackTable* table) {
  WalkerMemo& memo = *memo_;
  // Until the end the trunk is the kept part only: a handler may leave this thread
  // by longjmp here.
  memo.count = kept;
  CompilerBarrier();
  if (kept + fresh > memo.trunk.capacity && remember) [[unlikely]] {
    remember = Grow(&memo.trunk, kept + fresh);
  }
  MemoFrame* const frames = memo.trunk.frames;
  MemoSlot* const slots = memo.trunk.slots;
  uint32_t node = root;
  uint64_t hash = StackTable::RootHash(root);
  uint64_t live = 0;     // of the frame beyond
  uint32_t slot_at = 1;  // slots[0] is a barrier
  if (kept != 0) {
    node = frames[kept - 1].node;
    hash = frames[kept - 1].hash;
    live = frames[kept - 1].bp_mask;
    slot_at = frames[kept].slots;
  }
  for (uint32_t i = fresh; i-- > 0;) {
    FreshFrame& frame = memo.fresh.frames[i];
    hash = StackTable::Hash(hash, NodePc(frame.key), ModuleOfKey(frame.key));
    frame.hash = hash;
  }
  if (table->IsLarge()) {
    const FreshFrame* const frame = memo.fresh.frames;
    for (uint32_t i = fresh; i-- > 0;) table->PrefetchSlot(frame[i].hash);
    for (uint32_t i = fresh; i-- > 0;) table->PrefetchNode(frame[i].hash);
  }
  uint32_t slots_end = fresh_slots;
  for (uint32_t i = fresh, at = kept; i-- > 0; ++at) {
    const FreshFrame& frame = memo.fresh.frames[i];
    node =
        table->Intern(node, NodePc(frame.key), ModuleOfKey(frame.key), frame.hash);
    if (!remember) continue;
    uint32_t from = slots_end;
    slots_end = frame.slots;
    if ((frame.bp_use & kSavesBp) != 0 && live == 0) --from;
    if (frame.bp_use != 0) live = (frame.bp_use & kUsesBp) != 0 ? ~uint64_t{0} : 0;
    frames[at] = {frame.key, frame.sp, frame.bp, live, frame.hash, node, slot_at};
    while (from > frame.slots) slots[slot_at++] = memo.fresh.slots[--from];
  }
  if (!remember) return node;
  frames[kept + fresh].slots = slot_at;
  CompilerBarrier();
  memo.count = kept + fresh;
  if (kept != 0) KeepTwig(kept);
  return node;
}

// Remembers the way from the leaf to trunk frame kept - 1, apart from the trunk.
inline void Walker::KeepTwig(uint32_t kept) {
  WalkerMemo& memo = *memo_;
  if (memo.twigs == nullptr) [[unlikely]] {
    if (stats_.walks <= kWalksBeforeTwigs) return;
    MakeTwigs(&memo);
    if (memo.twigs == nullptr) return;
  }
  const MemoFrame* const frames = memo.trunk.frames;
  const uint32_t leaf = memo.count - 1;
  const uint32_t begin = frames[kept].slots, end = frames[leaf].slots;
  if (end - begin > kTwigSlots || (frames[leaf].key & ~kPcMask & kStateMask) != 0)
    return;
  const MemoFrame& next = frames[leaf - 1];
  const MemoFrame& join = frames[kept - 1];
  const FrameState next_state{next.key & kStateMask, next.sp, next.bp};
  const uint64_t leaf_key = frames[leaf].key & kStateMask;
  Twig& twig = TwigSet(&memo, leaf_key, next_state)[memo.next_way];
  memo.next_way = (memo.next_way + 1) % kTwigWays;
  twig.leaf_key = 0;
  CompilerBarrier();
  twig.next_key = next_state.key;
  twig.next_sp = next.sp;
  twig.next_bp = next.bp;
  twig.next_bp_mask = next.bp_mask;
  twig.join_key = join.key & kStateMask;
  twig.join_sp = join.sp;
  twig.join_bp = join.bp;
  twig.join_bp_mask = join.bp_mask;
  twig.join = kept - 1;
  twig.join_node = join.node;
  twig.node = frames[leaf].node;
  twig.slot_count = end - begin;
  for (uint32_t i = 0; i < end - begin; ++i) {
    if (IsBarrier(memo.trunk.slots[end - 1 - i])) return;
    twig.slots[i] = memo.trunk.slots[end - 1 - i];
  }
  twig.slots[end - begin] = kBarrier;
  CompilerBarrier();
  twig.leaf_key = leaf_key;
}

void Walker::Release() {
  if (memo_ == nullptr) return;
  WalkerMemo* memo = memo_;
  memo_ = nullptr;
  CompilerBarrier();
  DropMemo(memo);
}

}  // namespace mallogram
