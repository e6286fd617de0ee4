#include "preload/unwinder/walker.h"

#include "preload/sys.h"
#include "preload/unwinder/full_walk.h"
#include "preload/unwinder/memo.h"
#include "preload/unwinder/rules.h"
#include "preload/unwinder/verify.h"

namespace mallogram {
namespace {

constexpr uint32_t kFirstCapacity = 256;
constexpr uint32_t kMaxCapacity = 1u << 26;  // frames: a stack of >= 1 GiB

// A slot that never compares equal.
constinit const uint64_t g_never = 0;
constexpr MemoSlot kBarrier{&g_never, 1};

void CompilerBarrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }

size_t ArrayBytes(uint32_t capacity) {
  return sizeof(MemoFrame) * (capacity + 1) +
         sizeof(MemoSlot) * kSlotsPerFrame * capacity;
}

// Makes room for `needed` frames, keeping what is there. False: no memory.
[[gnu::noinline, gnu::cold]] bool Grow(MemoArrays* arrays, uint32_t needed) {
  uint32_t capacity = arrays->capacity != 0 ? arrays->capacity : kFirstCapacity;
  while (capacity < needed) capacity *= 2;
  if (capacity > kMaxCapacity) return false;
  auto* memory = static_cast<MemoFrame*>(sys::MapPrivate(ArrayBytes(capacity)));
  if (memory == nullptr) return false;
  const MemoArrays old = *arrays;
  const MemoArrays grown{memory, reinterpret_cast<MemoSlot*>(memory + capacity + 1),
                         capacity};
  if (old.capacity != 0) {
    __builtin_memcpy(grown.frames, old.frames,
                     sizeof(MemoFrame) * (old.capacity + 1));
    __builtin_memcpy(grown.slots, old.slots,
                     sizeof(MemoSlot) * kSlotsPerFrame * old.capacity);
  }
  // A handler that leaves by longjmp between these may find old slots, still
  // mapped and filled alike, but never a capacity that the arrays don't have.
  arrays->frames = grown.frames;
  arrays->slots = grown.slots;
  CompilerBarrier();
  arrays->capacity = grown.capacity;
  CompilerBarrier();
  if (old.capacity != 0) sys::Unmap(old.frames, ArrayBytes(old.capacity));
  return true;
}

[[gnu::noinline, gnu::cold]] WalkerMemo* NewMemo() {
  auto* memo = static_cast<WalkerMemo*>(sys::MapPrivate(sizeof(WalkerMemo)));
  if (memo == nullptr) return nullptr;
  if (Grow(&memo->last, 1) && Grow(&memo->fresh, 1)) return memo;
  return nullptr;  // no memory for anything: a leaked page does not matter
}

// ---- steps ------------------------------------------------------------------

struct StepResult {
  FrameState next;
  uint32_t slots;  // stored in reading order
  StepEnd end;
};

StepResult Stop(StepEnd end, uint32_t slots) { return {{}, slots, end}; }

// The common rule, unguarded: two loads.
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

// Everything that is not a plain simple rule.
[[gnu::noinline]] StepResult StepSlow(const FrameState& state, Rule rule,
                                      StackGuard* guard, FullWalk* full,
                                      WalkStats* stats, MemoSlot* slots) {
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
      const StepEnd end = GuessStep(state, guard, &next);
      // A bp below sp was refused unread; otherwise two slots decided.
      const auto* frame = reinterpret_cast<const uint64_t*>(state.bp);
      if (state.bp < state.sp || (state.bp & 7) != 0) return Stop(end, 0);
      if (guard->unstable() || end == StepEnd::kStopped) {
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

// ---- the memo -----------------------------------------------------------------

// Compares slots from slots[from - 1] down. Returns the index of the first that
// changed, plus one; 0 if all are as remembered.
[[gnu::always_inline]] inline uint32_t CompareSlots(const MemoSlot* slots,
                                                    uint32_t from) {
  while (from != 0 && *slots[from - 1].address == slots[from - 1].value) --from;
  return from;
}

bool SameState(const MemoFrame& frame, const FrameState& state) {
  return ((frame.key ^ state.key) & kStateMask) == 0 && frame.sp == state.sp &&
         frame.bp == state.bp;
}

// The frame among frames[0…inner] whose step read `slot`.
uint32_t FrameOfSlot(const MemoFrame* frames, uint32_t inner, uint32_t slot) {
  while (frames[inner].slots > slot) --inner;
  return inner;
}

// CompareSlots came to slot `changed` - 1. If that is a barrier, takes the step of
// its frame anew and, if it leads where it led before, goes on comparing.
// Returns what CompareSlots returns. `end` of the remembered walk: memo.end.
[[gnu::noinline]] uint32_t PassBarriers(WalkerMemo* memo, uint32_t match,
                                        uint32_t changed, FullWalk* full,
                                        WalkStats* stats) {
  const MemoFrame* frames = memo->last.frames;
  while (changed != 0 && memo->last.slots[changed - 1].address == &g_never) {
    const uint32_t at = FrameOfSlot(frames, match, changed - 1);
    const FrameState state{frames[at].key & kStateMask, frames[at].sp,
                           frames[at].bp};
    MemoSlot slots[kSlotsPerFrame];
    const StepResult step =
        StepSlow(state, LookupRule(state.key), &memo->guard, full, stats, slots);
    ++stats->frames_walked;
    const bool same = step.end == StepEnd::kNotYet
                          ? at != 0 && SameState(frames[at - 1], step.next)
                          : at == 0 && step.end == memo->end;
    if (!same || step.slots != 1 || slots[0].address != &g_never) return changed;
    match = at;
    changed = CompareSlots(memo->last.slots, changed - 1);
  }
  return changed;
}

uint64_t NodePc(uint64_t key) {
  return (key & kPcMask) + ((key & kExactPc) != 0 ? 1 : 0);
}

}  // namespace

uint32_t Walker::Walk(const CallerState& caller, uint32_t max_depth,
                      StackTable* table) {
  ++stats_.walks;
  if (memo_ == nullptr) [[unlikely]] {
    memo_ = NewMemo();
    if (memo_ == nullptr) return kRootUnknown;
  }
  WalkerMemo& memo = *memo_;
  // Acquire pairs with ForgetCode: with a new epoch, emptied rules are seen.
  const uint64_t epoch = g_code_epoch.load(std::memory_order_acquire);
  if (memo.epoch != epoch || max_depth != 0) [[unlikely]] {
    memo.count = 0;
    memo.epoch = epoch;
  }
  const uint32_t limit = max_depth != 0 ? max_depth : kMaxCapacity;

  FullWalk full;
  FrameState state{caller.pc, caller.sp, caller.bp};
  uint32_t cursor = memo.count;  // remembered frames below it may still match
  uint32_t kept = 0;             // frames[0…kept) stay as they are
  uint32_t node = kRootComplete;
  uint32_t fresh = 0, fresh_slots = 0;
  // Brent's loop check: a state that comes back would come back for ever.
  uint64_t loop_sp = 0;
  uint32_t loop_at = 1024;

  for (;;) {
    const MemoFrame* frames = memo.last.frames;
    while (cursor != 0 && frames[cursor - 1].sp < state.sp) --cursor;
    if (cursor != 0 && SameState(frames[cursor - 1], state)) {
      const uint32_t match = cursor - 1;
      const MemoSlot* slots = memo.last.slots;
      uint32_t changed = CompareSlots(slots, frames[cursor].slots);
      if (changed != 0 && slots[changed - 1].address == &g_never) {
        changed = PassBarriers(&memo, match, changed, &full, &stats_);
      }
      if (changed == 0) [[likely]] {
        kept = cursor;
        node = frames[match].node;
        break;
      }
      // All between `match` and the frame whose slot changed is confirmed: it is
      // taken over, and the walk goes on from that frame.
      const uint32_t stale = FrameOfSlot(frames, match, changed - 1);
      if (fresh + (match - stale) > memo.fresh.capacity &&
          !Grow(&memo.fresh, fresh + (match - stale))) {
        node = kRootCut;
        break;
      }
      for (uint32_t i = match; i > stale; --i) {
        memo.fresh.frames[fresh] = frames[i];
        memo.fresh.frames[fresh++].slots = fresh_slots;
        for (uint32_t s = frames[i + 1].slots; s > frames[i].slots; --s) {
          memo.fresh.slots[fresh_slots++] = slots[s - 1];
        }
      }
      state = {frames[stale].key & kStateMask, frames[stale].sp, frames[stale].bp};
      cursor = stale;
    }
    if (fresh >= limit) [[unlikely]] {
      node = kRootCut;
      break;
    }
    if (fresh == memo.fresh.capacity && !Grow(&memo.fresh, fresh + 1))
        [[unlikely]] {
      node = kRootCut;
      break;
    }
    const Rule rule = LookupRule(state.key);
    MemoFrame& frame = memo.fresh.frames[fresh];
    frame.key = state.key | rule.module_bits();
    frame.sp = state.sp;
    frame.bp = state.bp;
    frame.slots = fresh_slots;
    ++fresh;
    MemoSlot* slots = memo.fresh.slots + fresh_slots;
    const StepResult step =
        rule.simple() && (state.key & kGuardedWalk) == 0
            ? StepSimple(state, rule, slots)
            : StepSlow(state, rule, &memo.guard, &full, &stats_, slots);
    fresh_slots += step.slots;
    if (step.end != StepEnd::kNotYet) [[unlikely]] {
      memo.end = step.end;
      node = step.end == StepEnd::kComplete ? kRootComplete : kRootStopped;
      break;
    }
    state = step.next;
    if (fresh >= loop_at) [[unlikely]] {
      loop_at = 2 * fresh;
      loop_sp = state.sp;
    } else if (state.sp == loop_sp && loop_sp != 0) [[unlikely]] {
      memo.end = StepEnd::kStopped;
      node = kRootStopped;
      break;
    }
  }
  stats_.frames_walked += fresh;
  if (fresh != 0) {
    const bool remember = max_depth == 0 && node != kRootCut;
    node = Remember(kept, fresh, fresh_slots, node, remember, table);
  }
  if (g_verify_walks.load(std::memory_order_relaxed)) [[unlikely]] {
    VerifyWalk(caller, node, *table, &memo.oracle);
  }
  return node;
}

// Interns the fresh frames on top of `node` and appends them to the kept ones.
inline uint32_t Walker::Remember(uint32_t kept, uint32_t fresh,
                                 uint32_t fresh_slots, uint32_t node, bool remember,
                                 StackTable* table) {
  WalkerMemo& memo = *memo_;
  // Until the end the memo is the kept part only: a handler may leave this thread
  // by longjmp here.
  memo.count = kept;
  CompilerBarrier();
  if (kept + fresh > memo.last.capacity && remember) [[unlikely]] {
    remember = Grow(&memo.last, kept + fresh);
  }
  MemoFrame* frames = memo.last.frames;
  MemoSlot* slots = memo.last.slots;
  uint32_t slot_at = kept == 0 ? 0 : frames[kept].slots;
  uint32_t slots_left = fresh_slots;
  for (uint32_t i = fresh, at = kept; i-- > 0; ++at) {
    const MemoFrame& frame = memo.fresh.frames[i];
    node = table->Intern(node, NodePc(frame.key), ModuleOfKey(frame.key));
    if (!remember) continue;
    frames[at] = {frame.key, frame.sp, frame.bp, node, slot_at};
    while (slots_left > frame.slots)
      slots[slot_at++] = memo.fresh.slots[--slots_left];
  }
  if (remember) {
    frames[kept + fresh].slots = slot_at;
    CompilerBarrier();
    memo.count = kept + fresh;
  }
  return node;
}

void Walker::Release() {
  if (memo_ == nullptr) return;
  WalkerMemo* memo = memo_;
  memo_ = nullptr;
  CompilerBarrier();
  sys::Unmap(memo->last.frames, ArrayBytes(memo->last.capacity));
  sys::Unmap(memo->fresh.frames, ArrayBytes(memo->fresh.capacity));
  sys::Unmap(memo, sizeof(WalkerMemo));
}

}  // namespace mallogram
