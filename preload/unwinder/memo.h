// The exact memo of a thread's last walk, in flat arrays.
//
// frames[0…count) are the frames, outermost first; frames[i].slots is where the
// slots begin that were read in the step outward from frame i, and
// frames[count].slots is their total number. Slots of one frame stand in reverse
// order of reading: going down from any frame's last slot meets the slots in
// exactly the order in which a walk outward from that frame reads them.
//
// A slot that may not be compared (its step depends on more than pc, sp, bp and
// the slots, or it must be read with care) is followed by a barrier, a slot that
// never compares equal: the frame's step is then taken anew.
#pragma once

#include <cstdint>

#include "preload/unwinder/frame_step.h"

namespace mallogram {

struct MemoFrame {
  uint64_t key;  // with the module's bits
  uint64_t sp, bp;
  uint32_t node;   // interned stack from here outward
  uint32_t slots;  // first slot of this frame's step
};
static_assert(sizeof(MemoFrame) == 32);

struct MemoSlot {
  const uint64_t* address;
  uint64_t value;
};

inline constexpr uint32_t kSlotsPerFrame = 3;  // at most

struct MemoArrays {
  MemoFrame* frames;  // capacity + 1
  MemoSlot* slots;    // kSlotsPerFrame * capacity
  uint32_t capacity;
};

struct WalkerMemo {
  MemoArrays last;   // the remembered walk
  MemoArrays fresh;  // frames of the walk in progress, innermost first
  uint32_t count;    // of last.frames
  StepEnd end;       // how it ended, beyond frames[0]
  uint64_t epoch;    // of g_code_epoch that `last` belongs to
  StackGuard guard;
  void** oracle;  // verify mode: room for libunwind's answer
};

}  // namespace mallogram
