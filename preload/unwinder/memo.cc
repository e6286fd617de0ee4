#include "preload/unwinder/memo.h"

#include "preload/sys.h"

namespace mallogram {
namespace {

constexpr uint32_t kFirstFrames = 32;

template <typename Frame>
size_t ArrayBytes(uint32_t capacity) {
  return sizeof(Frame) * (capacity + 1) +
         sizeof(MemoSlot) * (kSlotsPerFrame * capacity + 1);
}

}  // namespace

constinit const uint64_t g_never = 0;

template <typename Frame>
bool Grow(MemoArrays<Frame>* arrays, uint32_t needed) {
  uint32_t capacity = arrays->capacity != 0 ? arrays->capacity : kFirstFrames;
  while (capacity < needed) capacity *= 2;
  if (capacity > kMaxMemoFrames) return false;
  auto* memory = static_cast<Frame*>(sys::MapTable(ArrayBytes<Frame>(capacity)));
  if (memory == nullptr) return false;
  const MemoArrays<Frame> old = *arrays;
  const MemoArrays<Frame> grown{
      memory, reinterpret_cast<MemoSlot*>(memory + capacity + 1), capacity};
  if (old.capacity == 0) grown.slots[0] = kBarrier;
  if (old.capacity != 0) {
    __builtin_memcpy(grown.frames, old.frames, sizeof(Frame) * (old.capacity + 1));
    __builtin_memcpy(grown.slots, old.slots,
                     sizeof(MemoSlot) * (kSlotsPerFrame * old.capacity + 1));
  }
  // A handler that leaves by longjmp between these may find old slots, still
  // mapped and filled alike, but never a capacity that the arrays don't have.
  arrays->frames = grown.frames;
  arrays->slots = grown.slots;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  arrays->capacity = grown.capacity;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (old.capacity != 0) sys::Unmap(old.frames, ArrayBytes<Frame>(old.capacity));
  return true;
}

template bool Grow(MemoArrays<MemoFrame>* arrays, uint32_t needed);
template bool Grow(MemoArrays<FreshFrame>* arrays, uint32_t needed);

// Little memory is touched, since a page fault costs microseconds: a signal handler
// that interrupts the recorder needs a memo of its own, and must not take longer
// for it than the next signal is away, or handlers pile up until their stack is
// full.
WalkerMemo* NewMemo() {
  auto* memo = static_cast<WalkerMemo*>(sys::MapPrivate(sizeof(WalkerMemo)));
  if (memo == nullptr) return nullptr;
  // No memory for anything: a leaked page does not matter then.
  if (!Grow(&memo->fresh, 1)) return nullptr;
  memo->epoch = g_code_epoch.load(std::memory_order_acquire);
  return memo;
}

void MakeTwigs(WalkerMemo* memo) {
  memo->twigs = static_cast<Twig*>(sys::MapTable(sizeof(Twig) * kTwigs));
}

void DropMemo(WalkerMemo* memo) {
  if (memo->trunk.capacity != 0) {
    sys::Unmap(memo->trunk.frames, ArrayBytes<MemoFrame>(memo->trunk.capacity));
  }
  if (memo->twigs != nullptr) sys::Unmap(memo->twigs, sizeof(Twig) * kTwigs);
  sys::Unmap(memo->fresh.frames, ArrayBytes<FreshFrame>(memo->fresh.capacity));
  sys::Unmap(memo, sizeof(WalkerMemo));
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
