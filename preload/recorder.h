// Recording: from "this block was returned" to a record in the thread's ring.
//
// Order (DESIGN.md D5): a free is recorded before the real free, an allocation
// after the real allocation, a realloc on both sides of the real one; so in real
// time the record of a block's end always precedes that of its address's next
// owner.
//
// Threads. Every thread has a ThreadState with its own ring, found through one
// initial-exec TLS pointer; nothing on the path is shared between threads but
// read-mostly tables. A signal handler that interrupts the recorder finds the
// state busy and uses a nested one with a ring of its own, so its events are kept
// too. Ended threads hand their state on.
//
// Forks. ThreadStates lie in memory that the kernel wipes in a forked child
// (MADV_WIPEONFORK), so the child finds an inactive state at its first event,
// however it was forked, and sets up a trace of its own. After vfork the child
// runs in its parent's memory and is recorded there.
//
// This header is the hot path, and what it calls. recorder_parts.h has the rest.
//
// Nothing here allocates from the program's heap, takes a lock or changes errno;
// and nothing makes a system call once the library has started, but for more memory
// and for the wait for a full ring, while no filter is known that forbids it
// (may_call.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/clock.h"
#include "preload/image.h"
#include "preload/ring.h"
#include "preload/sampler.h"
#include "preload/stack_table.h"
#include "preload/unwinder/walker.h"

namespace mallogram {

// What was dropped at each stack and is not in the ring yet.
struct LostTable {
  static constexpr int kEntries = 64;
  struct Entry {
    uint32_t stack;
    uint32_t count;
    uint64_t bytes;
  };
  uint32_t used;
  Entry entries[kEntries];
};

struct alignas(256) ThreadState {
  enum Busy : uint32_t {
    kFree = 0,
    kRecording = 1,    // inside the recorder: a second entry is a signal handler
    kInAllocator = 2,  // inside an allocator that may call its exported functions:
                       // those are not recorded (inside.h)
    kPaused = 3,  // between the thread's events, which it does not want recorded
  };

  // 0: wiped by a fork, or not in use. Checked first, by every event.
  uint32_t active;
  uint32_t busy;  // a Busy
  // Active and free.
  bool IsReady() const {
    static_assert(kFree == 0);
    uint64_t both;
    __builtin_memcpy(&both, &active, sizeof(both));
    return both == 1;
  }
  RingWriter ring;
  Walker walker;
  uint64_t clock;  // stamp of the last record, as the collector knows it
  // Ring positions: at which to look at the doorbell, to put a kTime record
  // (single-threaded mode), and up to which neither is due and there is room.
  uint64_t bell_at, stamp_at, look_at;
  uint64_t inside, inside_pc;  // kInAllocator: the frame of the call, its return
  uint32_t index;              // of its ring
  uint32_t exit_rounds;        // of the thread-exit destructor
  ThreadState* nested;  // for signal handlers that interrupt this state's owner
  SampleDraw draw;      // --sample
  LostTable lost;
};

// Read-mostly facts of the process, written by set-up only.
struct Recorder {
  bool tsc;   // stamps are TSC ticks, read without a question
  bool drop;  // --on-full drop
  uint32_t max_depth;
  uint64_t sample_interval;  // 0: every block is recorded; else see sampler.h
  bool never_samples;        // known for good: sample_interval stays 0
  bool mismatches;           // kinds are noted: see kinds.h
  bool frees_ask;            // sampling, or mismatches
  // The process has had a second stream: every event carries an exact stamp. Set
  // before that stream's first event takes effect, so whatever a thread records
  // causally after an event of another thread is stamped.
  std::atomic<bool> exact;
  ImageHeader* header;
  StackTable table;
};

[[gnu::visibility("hidden")]] extern Recorder g_recorder;
[[gnu::visibility("hidden")]] extern thread_local constinit ThreadState* t_state;

// The calling thread's state, made, revived after a fork or nested as need be;
// nullptr if this thread is not to be recorded (set-up under way, recording off).
// *ringless: for want of a ring. In recorder.cc.
ThreadState* AcquireState(bool* ringless = nullptr);
// AcquireState for an event of block `p`, of `size` bytes if it is an allocation.
// nullptr, if the thread pauses (what was due is done) or there is no ring (it is
// counted). In pause.cc.
ThreadState* AcquireFor(RecordKind kind, const void* p, size_t size);
// Records an event that is not Quiet: finds room, waits or drops for want of it,
// rings the bell, stamps. In record_slowly.cc.
[[gnu::noinline]] void RecordSlowly(ThreadState* s, RecordKind kind, const void* p,
                                    uint32_t stack, uint64_t size);
// Draws for a block that was given to the program. False: the block is not
// followed (or lost, for want of room), and the state is left. In sample_block.cc.
bool Follow(ThreadState* s, const void* p, size_t size, const CallerState& caller);
// A move of a block that was followed ended in one, `p`, that is not. In
// sample_block.cc.
void RecordMoveOver(const void* p);

// ---- hot path -------------------------------------------------------------

inline bool Sampling() { return g_recorder.sample_interval != 0; }
// REQUIRES: Sampling(). True: the free of a block that is not followed, with which
// nothing but the real call is due.
inline bool PassesFree(const void* p) { return !g_sampled.MayHold(p); }

// A signal handler of this thread must see busy before anything is touched, and
// everything finished before it is cleared: compiler order is enough.
[[gnu::always_inline]] inline ThreadState* Entered(ThreadState* s) {
  s->busy = ThreadState::kRecording;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return s;
}

// Takes the state for one event, nullptr if there is nothing to record with.
// Cost: two loads and two compares.
[[gnu::always_inline]] inline ThreadState* Enter() {
  ThreadState* s = t_state;
  if (s == nullptr || !s->IsReady()) [[unlikely]] {
    s = AcquireState();
    if (s == nullptr) return nullptr;
  }
  return Entered(s);
}
// The same for one that is due even if the thread pauses.
[[gnu::always_inline]] inline ThreadState* EnterFor(RecordKind kind, const void* p,
                                                    size_t size = 0) {
  ThreadState* s = t_state;
  if (s == nullptr || !s->IsReady()) [[unlikely]] {
    s = AcquireFor(kind, p, size);
    if (s == nullptr) return nullptr;
  }
  return Entered(s);
}

inline void Leave(ThreadState* s) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  s->busy = ThreadState::kFree;
}

// Whether nothing but the record itself is due, and its ticks field. Cost: a load
// and a compare each for room, bell, stamp (one limit for all) and mode; a reading
// of the clock once the process has had two streams.
[[gnu::always_inline]] inline bool Quiet(ThreadState* s, uint64_t* ticks) {
  *ticks = 0;
  if (s->ring.head() >= s->look_at) [[unlikely]]
    return false;
  if (!g_recorder.exact.load(std::memory_order_relaxed)) [[likely]]
    return true;
  if (!g_recorder.tsc) [[unlikely]]
    return false;
  *ticks = (ReadTsc() - s->clock) / kTickCycles;
  if (*ticks > kMaxTicks) [[unlikely]]  // huge if the clock went back
    return false;
  s->clock += *ticks * kTickCycles;
  return true;
}

inline bool FitsWord(const void* p) {
  const auto address = reinterpret_cast<uint64_t>(p);
  return (address & 7) == 0 && address < kMaxInlineAddress;
}

// A block given to the program. `kind` is kAlloc or kMoveEnd.
[[gnu::always_inline]] inline void RecordBlock(ThreadState* s, RecordKind kind,
                                               const void* p, size_t size,
                                               const CallerState& caller) {
  const uint32_t stack =
      s->walker.Walk(caller, g_recorder.max_depth, &g_recorder.table);
  uint64_t ticks;
  if (!FitsWord(p) || size > kMaxInlineSize || !Quiet(s, &ticks)) [[unlikely]]
    return RecordSlowly(s, kind, p, stack, size);
  s->ring.Put(PackWord0(kind, ticks, reinterpret_cast<uint64_t>(p)));
  s->ring.Put(PackStackSize(stack, size));
  s->ring.Publish();
}

// A block taken from the program: kFree, kMoveBegin, kMoveFail. Never dropped.
[[gnu::always_inline]] inline void RecordAddress(ThreadState* s, RecordKind kind,
                                                 const void* p) {
  uint64_t ticks;
  if (!FitsWord(p) || !Quiet(s, &ticks)) [[unlikely]]
    return RecordSlowly(s, kind, p, 0, 0);
  s->ring.Put(PackWord0(kind, ticks, reinterpret_cast<uint64_t>(p)));
  s->ring.Publish();
}

// kMaySample false: the caller knows that nothing is sampled (never_samples), and
// spares the question.
template <bool kMaySample = true>
inline void OnAlloc(const void* p, size_t size, const CallerState& caller) {
  ThreadState* s = EnterFor(RecordKind::kAlloc, p, size);
  if (s == nullptr) return;
  if (kMaySample && Sampling() && !Follow(s, p, size, caller)) return;
  RecordBlock(s, RecordKind::kAlloc, p, size, caller);
  Leave(s);
}

template <bool kMaySample = true>
[[gnu::always_inline]] inline void OnFree(const void* p) {
  if (kMaySample && Sampling() && !g_sampled.Take(p)) return;
  ThreadState* s = EnterFor(RecordKind::kFree, p);
  if (s == nullptr) return;
  RecordAddress(s, RecordKind::kFree, p);
  Leave(s);
}

// Around the real realloc of a block. The real call itself runs outside of the
// recorder: an allocator behind us may call malloc. False: the block is not
// followed, what comes of it is a new one (OnAlloc), and a failure is nothing.
inline bool OnMoveBegin(const void* p) {
  if (Sampling() && !g_sampled.Take(p)) [[unlikely]]
    return false;
  ThreadState* s = EnterFor(RecordKind::kMoveBegin, p);
  if (s == nullptr) return true;
  RecordAddress(s, RecordKind::kMoveBegin, p);
  Leave(s);
  return true;
}
inline void OnMoveEnd(const void* p, size_t size, const CallerState& caller) {
  ThreadState* s = EnterFor(RecordKind::kMoveEnd, p, size);
  if (s == nullptr) return;
  if (Sampling() && !Follow(s, p, size, caller)) [[unlikely]]
    return RecordMoveOver(p);
  RecordBlock(s, RecordKind::kMoveEnd, p, size, caller);
  Leave(s);
}
inline void OnMoveFail(const void* old) {
  // Followed on; if its place is taken meanwhile, its end is told now, for its free
  // will not be known.
  if (Sampling() && !g_sampled.Add(old)) [[unlikely]]
    return RecordMoveOver(old);
  ThreadState* s = EnterFor(RecordKind::kMoveFail, old);
  if (s == nullptr) return;
  RecordAddress(s, RecordKind::kMoveFail, old);
  Leave(s);
}

}  // namespace mallogram
