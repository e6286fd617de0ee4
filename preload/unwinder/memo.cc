#include "preload/unwinder/memo.h"

#include "preload/own_memory.h"

namespace mallogram {
namespace {

constexpr uint32_t kFirstFrames = 32;

// What a walker has without asking for memory.
template <typename Frame>
struct FirstArrays {
  Frame frames[kFirstFrames + 1];
  MemoSlot slots[kSlotsPerFrame * kFirstFrames + 1];
};
struct FirstMemory {
  WalkerMemo memo;
  FirstArrays<MemoFrame> trunk;
  FirstArrays<FreshFrame> fresh;
};

template <typename Frame>
size_t ArrayBytes(uint32_t capacity) {
  return sizeof(Frame) * (capacity + 1) +
         sizeof(MemoSlot) * (kSlotsPerFrame * capacity + 1);
}

// Arrays that have grown are larger.
template <typename Frame>
bool IsFirst(const MemoArrays<Frame>& arrays) {
  return arrays.capacity == kFirstFrames;
}

}  // namespace

constinit const uint64_t g_never = 0;

template <typename Frame>
bool Grow(MemoArrays<Frame>* arrays, uint32_t needed) {
  uint32_t capacity = arrays->capacity;
  while (capacity < needed) capacity *= 2;
  if (capacity > kMaxMemoFrames) return false;
  auto* memory = static_cast<Frame*>(TakeMemory(ArrayBytes<Frame>(capacity)));
  if (memory == nullptr) return false;
  const MemoArrays<Frame> old = *arrays;
  const MemoArrays<Frame> grown{
      memory, reinterpret_cast<MemoSlot*>(memory + capacity + 1), capacity};
  __builtin_memcpy(grown.frames, old.frames, sizeof(Frame) * (old.capacity + 1));
  __builtin_memcpy(grown.slots, old.slots,
                   sizeof(MemoSlot) * (kSlotsPerFrame * old.capacity + 1));
  // A handler that leaves by longjmp between these may find old slots, still
  // mapped and filled alike, but never a capacity that the arrays don't have.
  arrays->frames = grown.frames;
  arrays->slots = grown.slots;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  arrays->capacity = grown.capacity;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (!IsFirst(old)) {
    GiveMemory(old.frames, ArrayBytes<Frame>(old.capacity));
  }
  return true;
}

template bool Grow(MemoArrays<MemoFrame>* arrays, uint32_t needed);
template bool Grow(MemoArrays<FreshFrame>* arrays, uint32_t needed);

// In memory that the walker brings along: a thread's first event makes no system
// call. Little of it is touched, since a page fault costs microseconds: a signal
// handler that interrupts the recorder needs a memo of its own, and must not take
// longer for it than the next signal is away, or handlers pile up until their stack
// is full.
WalkerMemo* NewMemo(WalkerRoom* room) {
  static_assert(sizeof(FirstMemory) <= sizeof(room->bytes));
  auto* const first = reinterpret_cast<FirstMemory*>(room->bytes);
  WalkerMemo* const memo = &first->memo;
  __builtin_memset(static_cast<void*>(memo), 0, sizeof(*memo));
  const auto begin = [](auto* arrays, auto* memory) {
    arrays->frames = memory->frames;
    arrays->slots = memory->slots;
    arrays->slots[0] = kBarrier;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    arrays->capacity = kFirstFrames;
  };
  begin(&memo->trunk, &first->trunk);
  begin(&memo->fresh, &first->fresh);
  memo->epoch = g_code_epoch.load(std::memory_order_acquire);
  return memo;
}

void MakeTwigs(WalkerMemo* memo) {
  memo->twigs = static_cast<Twig*>(TakeMemory(sizeof(Twig) * kTwigs));
}

void DropMemo(WalkerMemo* memo) {
  if (!IsFirst(memo->trunk)) {
    GiveMemory(memo->trunk.frames, ArrayBytes<MemoFrame>(memo->trunk.capacity));
  }
  if (!IsFirst(memo->fresh)) {
    GiveMemory(memo->fresh.frames, ArrayBytes<FreshFrame>(memo->fresh.capacity));
  }
  if (memo->twigs != nullptr) GiveMemory(memo->twigs, sizeof(Twig) * kTwigs);
}

void ForgetWalks(WalkerMemo* memo, uint64_t epoch) {
  memo->count = 0;
  for (uint32_t i = 0; memo->twigs != nullptr && i < kTwigs; ++i) {
    memo->twigs[i].leaf_key = 0;
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  memo->epoch = epoch;
}

}  // namespace mallogram
