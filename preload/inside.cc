#include "preload/inside.h"

#include "preload/recorder_parts.h"
#include "preload/unwinder/outward.h"

namespace mallogram {
namespace {

// A mark of the very frame that is about to set one was left behind.
void ClearLeft(uint64_t frame) {
  for (ThreadState* s = t_state; s != nullptr; s = s->nested) {
    if (s->busy == ThreadState::kInAllocator && s->inside == frame)
      LeaveAllocator(s);
  }
}

}  // namespace

void LeaveAllocator(ThreadState* s) {
  s->busy = t_pauses == 0 ? ThreadState::kFree : ThreadState::kPaused;
  if (Sampling()) t_draw = &t_state->draw;
}

ThreadState* InAllocator::Begin(uint64_t frame) {
  ClearLeft(frame);
  ThreadState* s = t_state;
  if (t_pauses == 0) {
    s = Enter();
  } else if (s != nullptr && s->busy != ThreadState::kPaused) {
    s = nullptr;
  }
  if (s == nullptr) return nullptr;
  s->inside = frame;
  s->inside_pc = reinterpret_cast<const uint64_t*>(frame)[1];
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

[[gnu::noinline]] Within LookOutward(const ThreadState* s) {
  const auto own = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  const CallerState from = {
      .pc = reinterpret_cast<uint64_t>(__builtin_return_address(0)),
      .sp = own + 16,
      .bp = *reinterpret_cast<const uint64_t*>(own)};
  // Where the marked call returns to.
  const CallerState to = {.pc = s->inside_pc, .sp = s->inside + 16, .bp = 0};
  switch (LookFor(from, to)) {
    case Met::kFrame:
      return Within::kCalledBack;
    case Met::kSignal:
      return Within::kInterrupted;
    case Met::kEnd:
      return Within::kLeft;
    case Met::kNoWay:
      break;
  }
  // A frame further out than the mark has left it.
  return own > s->inside ? Within::kLeft : Within::kCalledBack;
}

}  // namespace mallogram
