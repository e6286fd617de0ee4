// A thread that asked not to be recorded for a while (client/mallogram.h).
//
// While a thread pauses, its state is busy (kPaused). So every event of this thread
// takes the slow way (AcquireFor), and no event of another thread pays for the
// question.
#include "preload/recorder_parts.h"

namespace mallogram {

thread_local constinit uint32_t t_pauses = 0;

namespace {

// Lets this thread record something in its pause.
class Awake {
 public:
  Awake() : pauses_(t_pauses) {
    t_pauses = 0;
    if (t_state != nullptr && t_state->busy == ThreadState::kPaused)
      t_state->busy = ThreadState::kFree;
  }
  ~Awake() {
    t_pauses = pauses_;
    // Not if a signal handler of this thread came in between and is not done.
    if (t_state != nullptr && t_state->busy == ThreadState::kFree)
      t_state->busy = ThreadState::kPaused;
  }

 private:
  const uint32_t pauses_;
};

// The block at this address is not followed, until it is freed.
void Unfollow(const void* p) {
  ThreadState* s = Enter();
  if (s == nullptr) return;
  RecordExtended(s, /*stamp=*/true, PackExtended(Extended::kUnfollowed),
                 reinterpret_cast<uint64_t>(p));
  Leave(s);
}

void RecordInPause(RecordKind kind, const void* p) {
  // A sampled recording follows few blocks, and knows which.
  if (kind == RecordKind::kAlloc && Sampling()) return;
  const Awake awake;
  if (kind == RecordKind::kMoveEnd) RecordMoveOver(p);
  if (kind == RecordKind::kAlloc || kind == RecordKind::kMoveEnd) {
    if (!Sampling()) Unfollow(p);
    return;
  }
  ThreadState* s = Enter();
  if (s == nullptr) return;
  RecordAddress(s, kind, p);
  Leave(s);
}

}  // namespace

ThreadState* AcquireFor(RecordKind kind, const void* p, size_t size) {
  bool ringless = false;
  ThreadState* const s = AcquireState(&ringless);
  const bool inside =
      t_state != nullptr && t_state->busy == ThreadState::kInAllocator;
  if (s == nullptr && t_pauses != 0 && !inside) RecordInPause(kind, p);
  if (ringless) CountRingless(size);
  return s;
}

void PauseThread() {
  // A state first: without one there is nothing that could be busy.
  if (t_pauses == 0 && AcquireState() != nullptr)
    t_state->busy = ThreadState::kPaused;
  ++t_pauses;
}

void ResumeThread() {
  if (t_pauses == 0) return;
  if (--t_pauses == 0 && t_state != nullptr &&
      t_state->busy == ThreadState::kPaused)
    t_state->busy = ThreadState::kFree;
}

}  // namespace mallogram
