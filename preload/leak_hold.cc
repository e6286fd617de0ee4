#include "preload/leak_hold.h"

#include "preload/exit_function.h"
#include "preload/image.h"
#include "preload/may_call.h"
#include "preload/recorder_parts.h"
#include "preload/sys.h"
#include "preload/thread_id.h"
#include "preload/unwinder/full_walk.h"
#include "preload/wait_for_collector.h"

namespace mallogram {
namespace {

// In slices. The first answer takes a fraction of a millisecond unless the
// collector is at work for another process; a check takes as long as it takes.
constexpr int kAnswerSlices = 250;

void RingBell(ImageHeader* header) {
  header->doorbell.fetch_add(1, std::memory_order_seq_cst);
  if (MayCall() && header->collector_sleeps.load(std::memory_order_seq_cst) != 0) {
    sys::FutexWake(&header->doorbell, 1);
  }
}

bool ChecksLeaks(const ImageHeader& header) {
  return header.leak_check == LeakCheckMode::kExit ||
         header.leak_check == LeakCheckMode::kFull;
}

void Publish(const FullWalk& walk, HoldRequest* request) {
  request->pc = walk.Register(kRa);
  request->bx = walk.Register(kRbx);
  request->bp = walk.Register(kRbp);
  request->r12 = walk.Register(12);
  request->r13 = walk.Register(13);
  request->r14 = walk.Register(14);
  request->r15 = walk.Register(15);
  request->sp = walk.Register(kRsp);
}

// When main has returned, exit() was called by the C library's start, whose frames
// hold nothing of the program's but what constructors left where nobody has written
// since, as in a jmp_buf. Then goes to the outermost frame.
void SkipStart(FullWalk* walk, StackGuard* guard) {
  constexpr int kStartFrames = 3;  // __libc_start_call_main to _start
  const uint64_t pc = walk->Register(kRa);
  if (!g_libc_code.Holds(pc)) return;
  FullWalk outer = *walk;
  for (int i = 0; i < kStartFrames; ++i) {
    const FullWalk here = outer;
    const StepEnd end = outer.Step(guard);
    if (end == StepEnd::kComplete) {
      *walk = here;
      return;
    }
    if (end != StepEnd::kNotYet) return;
  }
}

// Asks; returns the state of the answer. `slices` bounds the wait once the request
// is taken.
uint32_t Ask(ImageHeader* header, HoldRequest* request, int slices) {
  const ThreadState* const state_of_thread = t_state;
  request->tid =
      state_of_thread != nullptr && state_of_thread->active != 0
          ? state_of_thread->ring.slot()->tid.load(std::memory_order_relaxed)
          : ThreadId();
  request->state.store(HoldRequest::kAsked, std::memory_order_release);
  RingBell(header);
  int slept = 0;
  for (;;) {
    uint32_t state = request->state.load(std::memory_order_acquire);
    if (state != HoldRequest::kAsked && state != HoldRequest::kTaken) return state;
    const int limit = state == HoldRequest::kTaken ? slices : kAnswerSlices;
    if (WaitWhile(*header, request->state, state, limit, &slept)) continue;
    // Withdrawn, unless it has been answered meanwhile.
    if (request->state.compare_exchange_strong(state, HoldRequest::kRefused)) {
      return HoldRequest::kRefused;
    }
  }
}

// A request of this kind, if none is under way. Waits a little for another
// thread's.
bool Begin(ImageHeader* header, HoldRequest* request, uint32_t kind) {
  int slept = 0;
  for (;;) {
    uint32_t state = HoldRequest::kFree;
    if (request->state.compare_exchange_strong(state, HoldRequest::kFilling)) break;
    if (!WaitWhile(*header, request->state, state, kAnswerSlices, &slept))
      return false;
  }
  request->kind = kind;
  request->sp = 0;
  return true;
}

}  // namespace

[[gnu::noinline]] void HoldAtEnd(const CallerState* caller, int wait_status) {
  ImageHeader* const header = OwnImage();
  if (header == nullptr || !ChecksLeaks(*header)) return;
  HoldRequest* const request = &header->at_end;
  uint32_t state = request->state.load(std::memory_order_relaxed);
  // The first to come speaks for all, unless it is answered: an abort() may have
  // been survived, or its handler ends the process in another way.
  if ((state != HoldRequest::kFree && state != HoldRequest::kGranted) ||
      !request->state.compare_exchange_strong(state, HoldRequest::kFilling)) {
    return;
  }
  request->kind = HoldRequest::kEnd;
  request->status = wait_status;
  request->sp = 0;
  FullWalk walk;
  StackGuard guard{};
  const bool found = caller != nullptr
                         ? walk.Start({caller->pc, caller->sp, caller->bp}, &guard)
                         : g_exit_function.end != 0 &&
                               walk.StartBeyond(g_exit_function.start,
                                                g_exit_function.end, &guard);
  if (found && caller == nullptr) SkipStart(&walk, &guard);
  if (found) Publish(walk, request);
  Ask(header, request, kAnswerSlices);
}

[[gnu::noinline]] bool RequestLeakCheckNow(const CallerState& caller) {
  ImageHeader* const header = OwnImage();
  if (header == nullptr || !ChecksLeaks(*header)) return false;
  HoldRequest* const request = &header->at_once;
  if (!Begin(header, request, HoldRequest::kCheck)) return false;
  FullWalk walk;
  StackGuard guard{};
  if (walk.Start({caller.pc, caller.sp, caller.bp}, &guard)) Publish(walk, request);
  // However large the heap: while the scan lasts, this thread does not run.
  const bool done = Ask(header, request, kAnswerSlices) == HoldRequest::kGranted;
  request->state.store(HoldRequest::kFree, std::memory_order_release);
  if (MayCall()) sys::FutexWake(&request->state, 1);
  return done;
}

void LetGoOfTracer(int pid) {
  ImageHeader* const header = OwnImage();
  if (header == nullptr || !ChecksLeaks(*header)) return;
  HoldRequest* const request = &header->at_once;
  if (!Begin(header, request, HoldRequest::kLetGo)) return;
  request->status = pid;
  Ask(header, request, kAnswerSlices);
  request->state.store(HoldRequest::kFree, std::memory_order_release);
  if (MayCall()) sys::FutexWake(&request->state, 1);
}

}  // namespace mallogram
