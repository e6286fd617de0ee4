// The shared image: the memory that the traced program and the collector
// share, and the only thing that passes between them while the program runs.
//
// The library creates it as a sparse memfd, maps it whole (a mapping outlives
// descriptors, so a daemon that closes them all stays traced) and hands the
// descriptor to the collector. Layout, every part page-aligned:
//
//   ImageHeader   geometry, process facts, counters, liveness of the collector
//   RingSlot[]    one per thread that is alive at the same time (see ring.h)
//   ModuleSlot[]  every module generation that a recorded frame lies in
//   strings       paths of modules, NUL-terminated, bump-allocated
//   StackNode[]   interned call-stack nodes: an append-only tree
//   ring data     ring_words 64-bit words per RingSlot
//
// Who writes what: the program writes everything except the fields marked
// "collector". Both sides treat the other as fallible: the collector checks
// every index that it reads (the program may scribble), the program only ever
// reads `tail` and `collector_alive`.
//
// Freestanding: included by the library, so nothing here may allocate.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/unrecordable.h"

namespace mallogram {

inline constexpr uint64_t kImageMagic = 0x31474d4952474c4dULL;  // "MLGRIMG1"
// Bumped when anything in this file or in ring.h changes meaning. Library and
// collector come from one build; a mismatch means a mixed installation.
inline constexpr uint32_t kImageVersion = 3;
inline constexpr size_t kImagePage = 4096;

// ---- stacks ---------------------------------------------------------------

// A call stack is the path from a node to a root. Ids below kFirstNode are the
// roots, which say how the stack ends.
inline constexpr uint32_t kRootComplete = 0;  // the outermost frame was reached
inline constexpr uint32_t kRootCut = 1;       // cut by --max-depth
inline constexpr uint32_t kRootStopped = 2;   // no unwind information further out
inline constexpr uint32_t kRootUnknown = 3;   // node table full: no stack kept
inline constexpr uint32_t kFirstNode = 4;

// Written once, before its id is published through a ring's head; constant
// from then on. Ids may have holes (all zero) where a race lost.
struct StackNode {
  uint64_t pc;      // return address (the frame's call is at pc - 1)
  uint32_t parent;  // caller's node, or a root
  uint32_t module;  // index in ModuleSlot[], or kNoModule
};
static_assert(sizeof(StackNode) == 16);

inline constexpr uint32_t kNoModule = 0xffffffffu;  // JIT code, vdso, unknown

// One *generation* of a module: after dlclose the next library at the same
// address is another slot. Fields are constant once `state` is kReady (release/
// acquire), except unload_tsc.
struct ModuleSlot {
  static constexpr uint32_t kEmpty = 0, kReady = 1;
  std::atomic<uint32_t> state;
  uint32_t path_offset;              // into strings
  uint64_t bias;                     // pc - bias = address as in the ELF file
  uint64_t start, end;               // mapped range
  uint64_t load_tsc;                 // first seen
  std::atomic<uint64_t> unload_tsc;  // 0 while loaded
  uint8_t build_id_bytes;
  uint8_t build_id[31];
};
static_assert(sizeof(ModuleSlot) == 80);

// ---- rings ----------------------------------------------------------------

// Positions count 64-bit words since the ring was created and never wrap in
// practice; the word at position p is data[p & (words - 1)].
struct alignas(64) RingSlot {
  static constexpr uint32_t kFree = 0, kOwned = 1;

  // Producer's line. Release store: all words below head are complete.
  std::atomic<uint64_t> head;
  uint64_t pad0[7];

  // Collector's line. Release store: words below tail may be overwritten.
  std::atomic<uint64_t> tail;
  std::atomic<uint32_t> tail_futex;  // bumped with tail while producer_waits
  uint32_t pad1[13];

  // Ownership. A thread that ends hands the ring on: the next owner goes on at
  // head and announces itself with a THREAD record. The collector frees the
  // ring of a thread that died without a word (see kill(2) with signal 0).
  std::atomic<uint32_t> state;
  std::atomic<int32_t> tid;              // owner, as the program sees it
  std::atomic<uint32_t> producer_waits;  // 1 while it sleeps on tail_futex
  uint32_t pad2[13];

  // Statistics, written by the producer with relaxed stores.
  std::atomic<uint64_t> wait_ns, waits;           // ring full: time, occasions
  std::atomic<uint64_t> lost_events, lost_bytes;  // --on-full drop
  std::atomic<uint64_t> walks, frames_walked;     // unwinder's work
  std::atomic<uint64_t> full_walks;               // walks that needed slow rules
  std::atomic<uint64_t> verify_checked;
};
static_assert(sizeof(RingSlot) == 256);

// Words of the rings, powers of two. The first, the main thread's as a rule, is
// larger: it is the only one that most programs have.
struct RingGeometry {
  uint32_t first, others;
  uint32_t Words(uint32_t index) const { return index == 0 ? first : others; }
  // Where ring `index` begins in the ring data.
  uint64_t Start(uint32_t index) const {
    return index == 0 ? 0 : first + uint64_t{index - 1} * others;
  }
};

// ---- header ---------------------------------------------------------------

enum class OnFull : uint32_t { kWait = 0, kDrop = 1 };

enum class ProgramState : uint32_t {
  kRunning = 0,
  kExiting = 1,   // exit() or _exit() was called; exit_max_rss_kib is valid
  kDetached = 2,  // the library gave up; reason in detach_reason
};

// Whether and how a process is looked at for leaks.
enum class LeakCheckMode : uint32_t {
  kNone = 0,
  kExit = 1,  // held at its end, if the library sees it coming
  kFull = 2,  // traced for life, so that it is held at any end but SIGKILL
};

// What the program asks of the collector, and the answer: preload/leak_hold.h. The
// program fills it in while it is kFilling.
struct HoldRequest {
  static constexpr uint32_t kFree = 0, kFilling = 1, kAsked = 2;
  static constexpr uint32_t kTaken = 3;                  // collector: under way
  static constexpr uint32_t kGranted = 4, kRefused = 5;  // collector
  enum Kind : uint32_t {
    kEnd = 0,    // the process is about to end: hold it there
    kCheck = 1,  // hold it now, and let it go on
    kLetGo = 2,  // trace it no longer: it wants another tracer
  };
  std::atomic<uint32_t> state;  // futex
  uint32_t kind;
  // The frame from which on the thread's stack is alive, and its registers; sp 0:
  // not known.
  int32_t tid;
  uint64_t pc, sp, bx, bp, r12, r13, r14, r15;
};

// Classes of difference that verify mode counts (see unwinder/verify.h).
inline constexpr int kVerifyClasses = 8;

struct ImageHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;

  // Geometry, constant after creation. Offsets are in bytes from the start.
  uint64_t image_bytes;
  uint64_t rings_offset, modules_offset, strings_offset, nodes_offset,
      ring_data_offset;
  uint32_t max_rings;
  RingGeometry ring_words;
  uint32_t max_modules, strings_bytes;
  uint32_t max_nodes;
  // 1: the executable defines malloc itself, so its own calls never reach this
  // library (the executable comes first in symbol lookup). Set by the constructor.
  uint32_t own_malloc;
  // 1: allocations say their kind, frees their kind and stack (kKind, kFreeNote).
  uint32_t mismatches;
  uint32_t forked;           // 1: its first blocks are its parent's
  uint32_t other_allocator;  // 1: malloc is not libc's: there may be more entries

  // The process, as it sees itself.
  int32_t pid, ppid;
  uint64_t start_tsc, start_monotonic_ns, start_realtime_ns;
  uint32_t tsc_is_clock;  // 1: stamps are rdtsc ticks; 0: CLOCK_MONOTONIC ns
  uint32_t max_depth;     // 0: unlimited
  OnFull on_full;
  uint32_t verify;           // 1: every walk was compared with libunwind
  uint64_t sample_interval;  // 0: every block is recorded; else see sampler.h
  // Who it is, told by itself, since a short-lived process is gone before anybody
  // can look into its /proc: offsets into strings, 0 if not known. Each argument
  // ends with a NUL; a very long command line is cut.
  uint32_t executable_offset, directory_offset;
  uint32_t arguments_offset, arguments_bytes;
  // Memory of the recorder in the program, in which no pointer counts for leak
  // checks: the library as mapped, this image, and sys::OwnRange[own_ranges_max] at
  // the address own_ranges.
  uint64_t library_start, library_end, image_address, own_ranges;
  uint32_t own_ranges_max;

  // Counters of the program. High-water marks: slots below were ever used.
  alignas(64) std::atomic<uint32_t> ring_count;
  std::atomic<uint32_t> node_count;  // ids handed out, kFirstNode included
  std::atomic<uint32_t> module_count;
  std::atomic<uint32_t> strings_used;
  std::atomic<uint32_t> program_state;    // ProgramState
  std::atomic<uint32_t> rings_exhausted;  // events lost for want of a ring
  std::atomic<uint64_t> private_bytes;    // tracer memory outside the image
  std::atomic<uint64_t> exit_max_rss_kib;
  char detach_reason[128];

  // Verify mode: stacks per class, and the first unexplained difference.
  std::atomic<uint64_t> verify_class[kVerifyClasses];
  char verify_first[512];

  // Liveness of the collector: a robust, process-shared mutex that its drain
  // thread locks for life. When that thread dies, however it dies, the kernel
  // sets FUTEX_OWNER_DIED in the mutex's first word: no descriptor, no pid and
  // no timeout needed. All zero: the collector has not attached yet.
  alignas(64) pthread_mutex_t collector_alive;  // collector
  // Doorbell: a producer whose ring is half full bumps it and wakes, if the
  // collector says that it sleeps.
  std::atomic<uint32_t> doorbell;
  std::atomic<uint32_t> collector_sleeps;  // collector

  LeakCheckMode leak_check;  // constant after creation
  // kFull: 1 once the process is traced, 2 if it can't be; futex.
  std::atomic<uint32_t> traced;  // collector
  HoldRequest at_end;            // kEnd, once
  HoldRequest at_once;           // kCheck and kLetGo

  // What this process, or one it forked, has executed without the library, by
  // Unrecordable.
  std::atomic<uint32_t> unrecorded_children[kUnrecordables];
};

// glibc keeps the futex word first in pthread_mutex_t; FUTEX_OWNER_DIED is ABI.
inline bool CollectorDied(const ImageHeader& header) {
  constexpr uint32_t kFutexOwnerDied = 0x40000000;
  const auto* word =
      reinterpret_cast<const std::atomic<uint32_t>*>(&header.collector_alive);
  return (word->load(std::memory_order_relaxed) & kFutexOwnerDied) != 0;
}

inline bool CollectorAttached(const ImageHeader& header) {
  const auto* word =
      reinterpret_cast<const std::atomic<uint32_t>*>(&header.collector_alive);
  return word->load(std::memory_order_relaxed) != 0;
}

// ---- handover -------------------------------------------------------------

// The message of a program on the Unix SOCK_SEQPACKET connection, program →
// collector; the image's descriptor rides along as SCM_RIGHTS. There is no answer:
// the program never waits, and the message survives its sender's death.
struct HelloMessage {
  uint64_t magic;  // kImageMagic
  uint32_t version;
  int32_t pid;
  uint64_t image_bytes;
};

// Launch variables. The launcher sets them in the child only; the library
// reads them once and the exec wrappers carry them over.
inline constexpr char kEnvSocket[] = "MALLOGRAM_SOCKET";       // path to connect to
inline constexpr char kEnvOut[] = "MALLOGRAM_OUT";             // bare mode: file
inline constexpr char kEnvMaxDepth[] = "MALLOGRAM_MAX_DEPTH";  // frames
inline constexpr char kEnvOnFull[] = "MALLOGRAM_ON_FULL";      // wait | drop
inline constexpr char kEnvSample[] = "MALLOGRAM_SAMPLE";       // bytes
inline constexpr char kEnvSampleSeed[] = "MALLOGRAM_SAMPLE_SEED";  // for tests
inline constexpr char kEnvMismatches[] = "MALLOGRAM_MISMATCHES";   // 1
inline constexpr char kEnvVerify[] = "MALLOGRAM_VERIFY";           // 1
inline constexpr char kEnvLeakCheck[] =
    "MALLOGRAM_LEAK_CHECK";                                  // none | exit | full
inline constexpr char kEnvRingKib[] = "MALLOGRAM_RING_KIB";  // power of two
// How the library starts a collector of its own (bare LD_PRELOAD): it execs
// `mallogram collect --fd N`, N being the socket on which HelloMessage waits.
inline constexpr char kCollectVerb[] = "collect";

}  // namespace mallogram
