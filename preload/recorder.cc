#include "preload/recorder.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>

#include "preload/bypass.h"
#include "preload/child_check.h"
#include "preload/environment.h"
#include "preload/errno_guard.h"
#include "preload/exit_function.h"
#include "preload/foreign_malloc.h"
#include "preload/handover.h"
#include "preload/inside.h"
#include "preload/may_call.h"
#include "preload/modules.h"
#include "preload/real.h"
#include "preload/recorder_parts.h"
#include "preload/sandbox.h"
#include "preload/shared_image.h"
#include "preload/streams.h"
#include "preload/sys.h"
#include "preload/text.h"
#include "preload/thread_id.h"
#include "preload/unwinder/rules.h"
#include "preload/unwinder/verify.h"
#include "preload/wait_for_collector.h"

namespace mallogram {

constinit Recorder g_recorder = {};
thread_local constinit ThreadState* t_state = nullptr;
thread_local constinit uint32_t t_lent = 0;

namespace {

// Set-up runs in one thread; others pass unrecorded until it is done. kOff is
// final. A forked child finds the parent's value and a wiped `armed`.
enum SetUp : int { kNotStarted, kStarting, kOn, kOff };
std::atomic<int> g_set_up;
std::atomic<int> g_set_up_pid;

pthread_key_t g_exit_key;
bool g_have_exit_key;
bool g_own_malloc;  // of the executable's; found out once, true of forked children

// Nested use of the recorder by its own set-up (dlsym, pthread functions).
thread_local constinit bool t_in_set_up = false;

// Thread exit. Other keys' destructors may still free memory after this one, so
// it asks to be called again until the last round that pthreads grants.
void OnThreadExit(void* value) {
  auto* s = static_cast<ThreadState*>(value);
  if (s != t_state || s->active == 0) return;
  if (++s->exit_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(g_exit_key, s);
    return;
  }
  t_state = nullptr;
  t_draw = &g_no_draw;
  CloseStream(s);
}

// The executable comes first in symbol lookup. One that is not position-independent
// and takes malloc's address has a symbol for it, too, but undefined (the PLT entry
// stands for the function then).
bool ProgramDefinesMalloc() {
  t_in_set_up = true;
  void* const visible = dlsym(RTLD_DEFAULT, "malloc");
  Dl_info info;
  ElfW(Sym)* symbol = nullptr;
  const bool found =
      visible != nullptr && visible != reinterpret_cast<void*>(&malloc) &&
      dladdr1(visible, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) !=
          0;
  t_in_set_up = false;
  return found && symbol != nullptr && symbol->st_shndx != SHN_UNDEF;
}

// Before an image goes: nothing of the recorder's leads into it any more.
void LeaveImage() {
  g_recorder.header = nullptr;
  g_recorder.table.Clear();
  InitModules(nullptr, ForgetCode);
}

bool SetUpRecorder(const Options& options, bool forked) {
  g_recorder.tsc = g_image.header->tsc_is_clock != 0;
  g_clock_gettime = g_real.clock_gettime;
  g_recorder.drop = options.on_full == OnFull::kDrop;
  g_recorder.max_depth = options.max_depth;
  g_recorder.header = g_image.header;
  g_image.header->forked = forked ? 1 : 0;
  if (!SetUpSampling(options.sample_interval, options.sample_seed)) return false;
  // The kind of a block that is not followed is not known.
  SetUpKinds(options.mismatches && !Sampling());
  g_image.header->mismatches = g_recorder.mismatches ? 1 : 0;
  g_image.header->own_malloc = g_own_malloc ? 1 : 0;
  g_image.header->other_allocator = LibcIsBehind() ? 0 : 1;
  if (!g_recorder.table.Init(&g_image)) return false;
  InitModules(&g_image, ForgetCode);
  WatchBypasses(g_image.header);
  // The first threads find rings, so that their first events make no call.
  return MakeChunk(0) && MakeChunk(1);
}

// Everything up to the first record, in the process's first thread or in a
// forked child's. False: this process is not recorded.
bool SetUpProcess() {
  const Options& options = ReadOptions();
  if (!options.enabled || HasForeignMalloc()) return false;
  const bool forked = g_fork_page != nullptr;
  if (forked) {  // what it inherited of its parent's recording is no use
    LeaveImage();
    g_image.Forget();
  }
  // In the sandbox that its parent is in, setting up could be the child's death.
  if (!MayCall()) {
    CountChild(Unrecordable::kSandboxed);
    return false;
  }
  if (!forked && StartsInSandbox()) return false;  // counted at its exec
  InitThreadIds(g_real.thread_id_field);
  ForgetStreams();
  g_recorder.exact.store(false, std::memory_order_relaxed);
  const bool on = g_image.Create(options) && SetUpRecorder(options, forked) &&
                  HandOver(options, g_image);
  g_image.CloseFile();
  if (!on) {
    LeaveImage();
    g_image.Drop();
    CountChild(Unrecordable::kUnreached);
    return false;
  }
  g_image.DropInherited();
  g_fork_page->armed = 1;
  if (options.leak_check == LeakCheckMode::kFull) AwaitTracer(*g_image.header);
  return true;
}

// Another thread is at it, or a signal handler interrupted this one; not if the
// process is a child that was forked meanwhile.
bool IsSettingUp() { return !MayCall() || g_set_up_pid.load() == sys::GetPid(); }

// Runs SetUpProcess once per process. True: recording is on.
bool EnsureSetUp() {
  for (;;) {
    int state = g_set_up.load(std::memory_order_acquire);
    if (state == kOff) return false;
    if (state == kOn && g_fork_page->armed != 0) [[likely]]
      return true;
    if (state == kStarting && IsSettingUp()) return false;
    // Not started, or this is a forked child (of a recorded parent, or of one that
    // was caught in the middle of its set-up).
    if (!g_set_up.compare_exchange_strong(state, kStarting)) continue;
    g_set_up_pid.store(MayCall() ? sys::GetPid() : 0);
    t_in_set_up = true;
    t_state = nullptr;
    t_draw = &g_no_draw;  // the old one goes with the states
    const bool on = SetUpProcess();
    t_in_set_up = false;
    g_set_up.store(on ? kOn : kOff, std::memory_order_release);
    return on;
  }
}

ThreadState* FindState(bool* ringless) {
  if (t_in_set_up || t_in_oracle || t_pauses != 0 || Resolving()) return nullptr;
  const KeepErrno keep;
  ThreadState* result = nullptr;
  if (EnsureSetUp()) {
    ThreadState* s = t_state;
    // The innermost state that is not busy: one per depth of signal handlers.
    while (s != nullptr && s->active != 0 && s->busy != 0) {
      if (s->busy == ThreadState::kInAllocator) {
        const Within within = LookOutward(s);
        if (within == Within::kCalledBack) return nullptr;
        if (within == Within::kLeft) {
          LeaveAllocator(s);
          continue;
        }
      }
      if (s->nested == nullptr || s->nested->active == 0) {
        ThreadState* nested = TakeState();
        if (nested != nullptr) OpenStream(nested);
        s->nested = nested;
      }
      s = s->nested;
    }
    if (t_state == nullptr || t_state->active == 0) {
      s = TakeState();
      if (s != nullptr) {
        OpenStream(s);
        t_state = s;
        if (Sampling()) t_draw = &s->draw;
        if (g_have_exit_key) {
          t_in_set_up = true;  // the 33rd key and later ones allocate
          pthread_setspecific(g_exit_key, s);
          t_in_set_up = false;
        }
      }
    }
    *ringless = s == nullptr && g_set_up.load(std::memory_order_relaxed) == kOn;
    result = s;
  }
  return result;
}

}  // namespace

void StopRecording(const char* reason) {
  g_set_up.store(kOff, std::memory_order_release);
  if (g_image.header == nullptr) return;
  ImageHeader* header = g_image.header;
  CopyText(reason, header->detach_reason);
  header->program_state.store(static_cast<uint32_t>(ProgramState::kDetached),
                              std::memory_order_release);
}

ThreadState* AcquireState(bool* ringless) {
  bool unused = false;
  ThreadState* const s = FindState(ringless != nullptr ? ringless : &unused);
  // A block that met its point is not recorded: without a new draw the next one,
  // perhaps the same block one layer further out, would meet it instead.
  if (s == nullptr && t_draw != &g_no_draw) {
    t_draw->Renew(g_recorder.sample_interval);
  }
  return s;
}

void StartRecording() {
  ResolveReal();
  RememberLaunch();
  const KeepErrno keep;
  t_in_set_up = true;
  RememberExit();
  t_in_set_up = false;
  if (!g_have_exit_key) {
    g_have_exit_key = pthread_key_create(&g_exit_key, OnThreadExit) == 0;
  }
  if (AcquireState() != nullptr) {
    if (g_have_exit_key && t_state != nullptr) {
      pthread_setspecific(g_exit_key, t_state);
    }
    if (g_image.header->verify != 0) {
      const char* error = nullptr;
      t_in_set_up = true;
      const bool on = EnableVerify(&error);
      t_in_set_up = false;
      // The report shows it: a run that compared nothing must not look like one
      // without differences.
      if (!on) CopyText(error, g_image.header->verify_first);
    }
    g_own_malloc = ProgramDefinesMalloc();
    g_image.header->own_malloc = g_own_malloc ? 1 : 0;
  }
}

bool IsRecorded() {
  return g_set_up.load(std::memory_order_acquire) == kOn && g_fork_page->armed != 0;
}

ImageHeader* OwnImage() {
  return IsRecorded() && t_lent == 0 ? g_image.header : nullptr;
}

void ForbidTsc() {
  g_frozen_stamp.store(ReadStamp(g_recorder.tsc), std::memory_order_relaxed);
  g_recorder.tsc = false;
}

void AllowTsc() {
  ImageHeader* const header = OwnImage();
  g_recorder.tsc = header != nullptr && header->tsc_is_clock != 0;
  g_frozen_stamp.store(0, std::memory_order_relaxed);
}

void NoteExit() {
  ImageHeader* const header = OwnImage();
  if (header == nullptr) return;
  if (t_state != nullptr && t_state->active != 0) CopyStats(t_state);
  uint32_t running = static_cast<uint32_t>(ProgramState::kRunning);
  header->program_state.compare_exchange_strong(
      running, static_cast<uint32_t>(ProgramState::kExiting));
}

}  // namespace mallogram
