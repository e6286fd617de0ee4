#include "preload/inside.h"

#include "preload/unwinder/full_walk.h"

// Where this library begins and ends, by the linker.
extern "C" {
[[gnu::visibility("hidden")]] extern const char __ehdr_start, _end;
}

namespace mallogram {
namespace {

// Room for the frame of a function that sets the mark. Less than the kernel puts on
// the stack for a signal, so that no handler of this stack comes as near.
constexpr uint64_t kScopeBytes = 512;
// At least: the red zone, the registers (fxsave), signal information.
constexpr uint64_t kSignalBytes = 1024;
// As deep as a stack can be.
constexpr int kMaxFrames = 1 << 22;

}  // namespace

ThreadState* InAllocator::Begin(uint64_t frame) {
  ThreadState* s = t_state;
  if (t_pauses == 0) {
    s = Enter();
  } else if (s != nullptr && s->busy != ThreadState::kPaused) {
    s = nullptr;
  }
  if (s == nullptr) return nullptr;
  s->inside = frame;
  s->busy = ThreadState::kInAllocator;
  return s;
}

// After a fork inside the allocator the state may be gone: it is one of the
// thread's or not touched.
void InAllocator::End(ThreadState* state, SampleDraw* draw) {
  for (ThreadState* s = t_state; s != nullptr; s = s->nested) {
    if (s != state) continue;
    if (s->busy == ThreadState::kInAllocator)
      s->busy = t_pauses == 0 ? ThreadState::kFree : ThreadState::kPaused;
    t_draw = draw;
    return;
  }
}

[[gnu::noinline]] Within LookOutward(uint64_t frame) {
  const auto own = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  // The usual case: too near for a handler, no walk needed.
  if (frame - own < kSignalBytes) return Within::kCalledBack;
  const auto start = reinterpret_cast<uint64_t>(&__ehdr_start);
  const auto end = reinterpret_cast<uint64_t>(&_end);
  StackGuard guard{};
  guard.StartWalk();
  FullWalk walk;
  // From our caller on: what an allocator reaches by a jump leaves no frame of its
  // own between the entry point and the mark.
  const FrameState first = {reinterpret_cast<uint64_t>(__builtin_return_address(0)),
                            own + 16, 0};
  if (!walk.Start(first, &guard)) return Within::kCalledBack;
  for (int i = 0; i < kMaxFrames; ++i) {
    const FrameState here = walk.state();
    if ((here.key & kExactPc) != 0) return Within::kInterrupted;
    if ((here.key & kPcMask) - start < end - start && frame - here.sp < kScopeBytes)
      return Within::kCalledBack;
    const StepEnd step = walk.Step(&guard);
    if (step == StepEnd::kComplete) return Within::kLeft;
    if (step == StepEnd::kStopped) break;
  }
  // Code without unwind information: a frame further out than the mark has left it.
  return first.sp > frame ? Within::kLeft : Within::kCalledBack;
}

}  // namespace mallogram
