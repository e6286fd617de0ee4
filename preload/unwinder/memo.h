// What a thread remembers of its walks: the trunk, its last whole walk, and
// twigs, the ways that lately led from a leaf to the trunk.
//
// Both rest on one fact: unwinding is a function of the state at a frame (pc, sp,
// rbp) and of the stack slots that are read on the way out. Where the state is the
// same and every slot still holds the value that it had, the outcome is the same.
//
// Pruning. Most code uses rbp as a general register: it differs at every event,
// and nothing depends on it, because some outer frame restores its own before it
// uses it. A frame's rbp is `live` if it is used before that; only then it is
// compared, and so are slots that hold a saved rbp.
//
// Trunk: frames[0…count) are the frames, outermost first; frames[i].slots is where
// the slots begin that were read in the step outward from frame i, and
// frames[count].slots is their end. Slots of one frame stand in reverse order of
// reading: going down from any frame's last slot meets the slots in
// exactly the order in which a walk outward from that frame reads them.
//
// A slot that may not be compared (its step depends on more than pc, sp, bp and
// the slots, or it must be read with care) is followed by a barrier, a slot that
// never compares equal: the frame's step is then taken anew. slots[0] is one, too:
// comparing ends there.
//
// Twig: from the leaf's caller (`next_`, reached by a plain step) to the trunk's
// frame `join`. It is good as long as its slots are as they were and the trunk has
// the same frame (state and node) there, whatever became of the rest of the trunk;
// how it goes on from there is the trunk's affair.
//
// Tried and lost: comparing slots four at a time with AVX2 gathers (24 slots in 6.4
// ns against 7.1, 8 in 2.9 against 3.1; AVX-512 4.8 and 2.3). A gather reads
// slots before those nearer to the leaf have vouched that they are mapped, and
// needs a second path for CPUs without it, for a nanosecond an allocation.
#pragma once

#include <cstdint>

#include "preload/unwinder/frame_step.h"

namespace mallogram {

struct MemoFrame {
  uint64_t key;  // with the module's bits
  uint64_t sp, bp;
  uint64_t bp_mask;  // all ones: live; 0: not
  uint64_t hash;     // StackTable's, of the stack from here outward
  uint32_t node;     // interned stack from here outward
  uint32_t slots;    // first slot of this frame's step
};

// How a frame's step treats rbp; both may hold. Values as in Rule.
inline constexpr uint32_t kUsesBp = 1;   // it needs this frame's
inline constexpr uint32_t kSavesBp = 2;  // its last slot holds the outer frame's

// A frame of the walk in progress.
struct FreshFrame {
  uint64_t key, sp, bp;
  uint64_t hash;
  uint32_t slots;
  uint32_t bp_use;  // kUsesBp | kSavesBp
};

struct MemoSlot {
  const uint64_t* address;
  uint64_t value;
};

inline constexpr uint32_t kSlotsPerFrame = 3;  // at most

template <typename Frame>
struct MemoArrays {
  Frame* frames;    // capacity + 1
  MemoSlot* slots;  // kSlotsPerFrame * capacity + 1
  uint32_t capacity;
};

inline constexpr uint32_t kTwigSlots = 9;

struct alignas(64) Twig {
  uint64_t leaf_key;  // 0: free
  uint64_t next_key, next_sp, next_bp, next_bp_mask;
  uint64_t join_key, join_sp, join_bp, join_bp_mask;
  uint32_t join;  // index in the trunk
  uint32_t join_node, node;
  uint32_t slot_count;
  MemoSlot slots[kTwigSlots + 1];  // in reading order, then a barrier
};
static_assert(sizeof(Twig) == 256);

// Eight ways a set: wrappers of malloc (operator new, SQLite's, git's) are reached
// by many paths at one stack pointer, and all of those have one set. With two ways,
// SQLite's store walked 2.3 frames an allocation, with four 1.4, with eight 1.0.
inline constexpr uint32_t kTwigWays = 8;
inline constexpr uint32_t kTwigSetBits = 5;
inline constexpr uint32_t kTwigs = kTwigWays << kTwigSetBits;

struct WalkerMemo {
  MemoArrays<MemoFrame> trunk;
  MemoArrays<FreshFrame> fresh;  // of the walk in progress, innermost first
  uint32_t count;                // of trunk.frames
  StepEnd end;                   // how the trunk ended, beyond frames[0]
  uint64_t epoch;                // of g_code_epoch that all of it belongs to
  uint32_t next_way;             // to be replaced
  StackGuard guard;
  void** oracle;  // verify mode: room for libunwind's answer
  Twig* twigs;    // kTwigs of them; nullptr: none yet
};

// A slot that never compares equal.
extern const uint64_t g_never;
inline constexpr MemoSlot kBarrier{&g_never, 1};
inline bool IsBarrier(const MemoSlot& slot) { return slot.address == &g_never; }

// A stream's first walks leave no twigs: threads and signal handlers that record a
// few events must not wait for memory, only what goes on pays for going on fast.
inline constexpr uint64_t kWalksBeforeTwigs = 64;

// A walker's first memory, for stacks of 32 frames.
struct alignas(64) WalkerRoom {
  char bytes[6400];
};
// In `room`, which holds nothing yet.
WalkerMemo* NewMemo(WalkerRoom* room);
// Makes the twigs, none of them used. Without memory there are none.
void MakeTwigs(WalkerMemo* memo);
void DropMemo(WalkerMemo* memo);
// Makes room for `needed` frames, keeping what is there. False: no memory.
template <typename Frame>
bool Grow(MemoArrays<Frame>* arrays, uint32_t needed);
inline constexpr uint32_t kMaxMemoFrames = 1u << 26;  // a stack of >= 1 GiB

// What was learnt from code that is gone is forgotten.
void ForgetWalks(WalkerMemo* memo, uint64_t epoch);

inline bool SameState(const MemoFrame& frame, const FrameState& state) {
  return (((frame.key ^ state.key) & kStateMask) | (frame.sp ^ state.sp) |
          ((frame.bp ^ state.bp) & frame.bp_mask)) == 0;
}

// Compares trunk slots from slots[end - 1] down; the first that changed, 0 if all
// are as remembered: slots[0] is a barrier, so there is nothing to count. Per slot:
// three loads.
[[gnu::always_inline]] inline uint32_t CompareSlots(const MemoSlot* slots,
                                                    uint32_t end) {
  const MemoSlot* slot = slots + end - 1;
  while (*slot->address == slot->value) --slot;
  return static_cast<uint32_t>(slot - slots);
}

inline Twig* TwigSet(WalkerMemo* memo, uint64_t leaf_key, const FrameState& next) {
  const uint64_t h =
      (leaf_key ^ next.key << 7 ^ next.sp << 20) * 0x9e3779b97f4a7c15ULL;
  return &memo->twigs[(h >> (64 - kTwigSetBits)) * kTwigWays];
}

// The node of the stack whose leaf is `leaf_key`, called from `next`; 0: no twig
// tells. Reads slots in the order in which a walk would.
[[gnu::always_inline]] inline uint32_t FollowTwig(const WalkerMemo& memo,
                                                  const Twig& twig,
                                                  uint64_t leaf_key,
                                                  const FrameState& next) {
  if (((twig.leaf_key ^ leaf_key) | (twig.next_key ^ next.key) |
       (twig.next_sp ^ next.sp) | ((twig.next_bp ^ next.bp) & twig.next_bp_mask)) !=
      0) {
    return 0;
  }
  const MemoSlot* slot = twig.slots;
  while (*slot->address == slot->value) ++slot;
  if (slot != twig.slots + twig.slot_count || twig.join >= memo.count) return 0;
  const MemoFrame& join = memo.trunk.frames[twig.join];
  // A live rbp of the trunk must be one that the twig vouches for.
  if ((((join.key ^ twig.join_key) & kStateMask) | (join.sp ^ twig.join_sp) |
       (join.bp_mask & ~twig.join_bp_mask) |
       ((join.bp ^ twig.join_bp) & join.bp_mask)) != 0 ||
      join.node != twig.join_node) {
    return 0;
  }
  const uint32_t end = memo.trunk.frames[twig.join + 1].slots;
  return CompareSlots(memo.trunk.slots, end) == 0 ? twig.node : 0;
}

}  // namespace mallogram
