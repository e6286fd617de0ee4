#include "preload/leak_hold.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>

#include "preload/image.h"
#include "preload/may_call.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/thread_id.h"
#include "preload/unwinder/full_walk.h"

namespace mallogram {
namespace {

constexpr uint64_t kSliceNs = 20'000'000;
// In slices. The first answer takes a fraction of a millisecond unless the
// collector is at work for another process; a check takes as long as it takes.
constexpr int kAnswerSlices = 250;
constexpr int kAttachSlices = 50;  // for a collector that has not appeared yet
constexpr int kTracerSlices = 50;

uint64_t g_exit_start, g_exit_end;
uint64_t g_libc_start, g_libc_end;

void RingBell(ImageHeader* header) {
  header->doorbell.fetch_add(1, std::memory_order_seq_cst);
  if (MayCall() && header->collector_sleeps.load(std::memory_order_seq_cst) != 0) {
    sys::FutexWake(&header->doorbell, 1);
  }
}

// In a sandbox nobody sleeps; the collector looks every half millisecond.
constexpr int kLooksASlice = 1 << 19, kSpinSlices = 25;

bool Spin(const std::atomic<uint32_t>& word, uint32_t value) {
  for (int i = 0; i < kLooksASlice; ++i) {
    if (word.load(std::memory_order_acquire) != value) return true;
    __builtin_ia32_pause();
  }
  return false;
}

bool ChecksLeaks(const ImageHeader& header) {
  return header.leak_check == LeakCheckMode::kExit ||
         header.leak_check == LeakCheckMode::kFull;
}

// Sleeps a slice while *word == value. False: nothing more is to be hoped for.
// Interrupted sleeps do not count: a timer's signals must not end the wait.
bool Wait(const ImageHeader& header, const std::atomic<uint32_t>& word,
          uint32_t value, int slices, int* slept) {
  if (CollectorDied(header)) return false;
  if (!MayCall()) {
    if (*slept >= kSpinSlices) return false;
    if (!Spin(word, value)) ++*slept;
    return true;
  }
  if (*slept >= (CollectorAttached(header) ? slices : kAttachSlices)) return false;
  if (sys::FutexWait(&word, value, kSliceNs) == -ETIMEDOUT) ++*slept;
  return true;
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
  if (pc < g_libc_start || pc >= g_libc_end) return;
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
    if (Wait(*header, request->state, state, limit, &slept)) continue;
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
    if (!Wait(*header, request->state, state, kAnswerSlices, &slept)) return false;
  }
  request->kind = kind;
  request->sp = 0;
  return true;
}

}  // namespace

void RememberExit() {
  void* const found = dlsym(RTLD_NEXT, "exit");
  Dl_info info;
  ElfW(Sym)* symbol = nullptr;
  if (found == nullptr ||
      dladdr1(found, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) ==
          0 ||
      symbol == nullptr) {
    return;
  }
  g_exit_start = reinterpret_cast<uint64_t>(found);
  g_exit_end = g_exit_start + symbol->st_size;
  dl_find_object libc;
  if (_dl_find_object(found, &libc) != 0) return;
  g_libc_start = reinterpret_cast<uint64_t>(libc.dlfo_map_start);
  g_libc_end = reinterpret_cast<uint64_t>(libc.dlfo_map_end);
}

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
  const bool found =
      caller != nullptr
          ? walk.Start({caller->pc, caller->sp, caller->bp}, &guard)
          : g_exit_end != 0 && walk.StartBeyond(g_exit_start, g_exit_end, &guard);
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

void AwaitTracer() {
  ImageHeader* const header = g_recorder.header;
  int slept = 0;
  while (header->traced.load(std::memory_order_acquire) == 0 &&
         Wait(*header, header->traced, 0, kTracerSlices, &slept)) {
  }
}

}  // namespace mallogram
