// The shared image: the memory that the traced program and the collector
// share, and the only thing that passes between them while the program runs.
//
// The library creates it as a sparse memfd, maps the first pieces (a mapping
// outlives descriptors, so a daemon that closes them all stays traced) and hands
// the descriptor to the collector. The header is the file's first page or two.
// Everything else is a table that grows by chunks, each page-aligned:
//
//   rings     RingSlot[n] and their words: one ring per thread that is alive at the
//             same time (see ring.h)
//   modules   ModuleSlot[]: every module generation that a recorded frame lies in
//   strings   paths of modules, NUL-terminated, bump-allocated
//   nodes     StackNode[]: interned call-stack nodes, an append-only tree
//
// Chunk 0 of each (of rings 0 and 1) lies in the first `base_bytes` of the file,
// which are mapped at the start. A later chunk appears when it is needed: the
// program maps it, then says where it lies in the file (ChunkTable), then uses it.
// A small image can be locked in memory or squeezed under a limit; a fixed one of
// the largest size could not.
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

#include "preload/stack_roots.h"
#include "preload/unrecordable.h"

namespace mallogram {

inline constexpr uint64_t kImageMagic = 0x31474d4952474c4dULL;  // "MLGRIMG1"
// Bumped when anything in this file or in ring.h changes meaning. Library and
// collector come from one build; a mismatch means a mixed installation.
inline constexpr uint32_t kImageVersion = 4;
inline constexpr size_t kImagePage = 4096;

// ---- stacks ---------------------------------------------------------------

// A call stack is the path from a node to a root. Ids below kFirstNode are the
// roots of stack_roots.h.
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
  // 1: blocks and frees of this code may be of any kind (bypass.h).
  uint8_t kinds_unsure;
  uint8_t build_id[30];
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
  // head and announces itself with a kThread record (ring.h). The collector frees
  // the ring of a thread that died without a word (see kill(2) with signal 0).
  std::atomic<uint32_t> state;
  std::atomic<int32_t> tid;              // owner, as the program sees it
  std::atomic<uint32_t> producer_waits;  // 1 while it sleeps on tail_futex
  uint32_t pad2[13];

  // Statistics, written by the producer with relaxed stores.
  std::atomic<uint64_t> wait_ticks, waits;        // ring full: stamps, occasions
  std::atomic<uint64_t> lost_events, lost_bytes;  // --on-full drop
  std::atomic<uint64_t> walks, frames_walked;     // unwinder's work
  std::atomic<uint64_t> full_walks;               // walks that needed slow rules
  std::atomic<uint64_t> verify_checked;
};
static_assert(sizeof(RingSlot) == 256);

// ---- chunks ---------------------------------------------------------------

// Tables of nodes, modules and strings grow by doubling: chunk 0 holds the elements
// below `first`, chunk c those in [first << (c - 1), first << c). `first` is a
// power of two.
struct Doubling {
  uint32_t first_log2;
  // Without a branch: on the way of every new frame.
  constexpr int ChunkOf(uint32_t i) const {
    return 32 - __builtin_clz(i | 1u << (first_log2 - 1)) -
           static_cast<int>(first_log2);
  }
  constexpr uint32_t FirstOf(int chunk) const {
    return chunk == 0 ? 0 : 1u << (first_log2 + static_cast<uint32_t>(chunk) - 1);
  }
  constexpr uint32_t CountOf(int chunk) const {
    return 1u << (first_log2 + static_cast<uint32_t>(chunk == 0 ? 0 : chunk - 1));
  }
};
inline constexpr Doubling kNodeChunks{13}, kModuleChunks{8}, kStringChunks{16};
inline constexpr int kMaxNodeChunks = 14, kMaxModuleChunks = 8,
                     kMaxStringChunks = 8;
inline constexpr uint32_t kMaxNodes = 1u << 26;    // stack ids have no more bits
inline constexpr uint32_t kMaxModules = 1u << 15;  // keys of rules likewise
inline constexpr uint32_t kMaxStringBytes = 8u << 20;

// Rings: the first, the main thread's as a rule, is larger: it is the only one that
// most programs have. Then 4, then as many again as there are, in chunks that
// double. Rings of threads beyond the first hundred are smaller: such programs have
// thousands.
inline constexpr int kMaxRingChunks = 16;
struct RingGeometry {
  uint32_t first, others;  // words, powers of two
  static constexpr uint32_t kFewer = 4, kLeast = 11;

  static int ChunkOf(uint32_t ring) {
    return ring == 0 ? 0 : 30 - __builtin_clz(ring + 3);
  }
  static uint32_t FirstOf(int chunk) {
    return chunk == 0 ? 0 : (kFewer << (chunk - 1)) - 3;
  }
  static uint32_t CountOf(int chunk) {
    return chunk == 0 ? 1 : kFewer << (chunk - 1);
  }
  // Of the chunk's rings.
  uint32_t WordsOf(int chunk) const {
    if (chunk == 0) return first;
    const int smaller = chunk <= 5 ? 0 : chunk <= 7 ? 2 : 3;
    const uint32_t least = others < 1u << kLeast ? others : 1u << kLeast;
    return others >> smaller > least ? others >> smaller : least;
  }
  uint32_t Words(uint32_t ring) const { return WordsOf(ChunkOf(ring)); }
  static uint64_t SlotBytes(int chunk) {
    return (sizeof(RingSlot) * CountOf(chunk) + kImagePage - 1) & ~(kImagePage - 1);
  }
  // Slots, then data.
  uint64_t BytesOf(int chunk) const {
    return SlotBytes(chunk) + uint64_t{8} * WordsOf(chunk) * CountOf(chunk);
  }
};
inline constexpr uint32_t kMaxRings =
    (RingGeometry::kFewer << (kMaxRingChunks - 1)) - 3;

// Where the chunks of one table lie in the file; 0: there is none yet. Chunks come
// in order. Release by the program, after it has mapped the chunk.
template <size_t kMax>
struct ChunkTable {
  std::atomic<uint64_t> offset[kMax];
};

// ---- header ---------------------------------------------------------------

enum class OnFull : uint32_t { kWait = 0, kDrop = 1 };

enum class ProgramState : uint32_t {
  kRunning = 0,
  kExiting = 1,   // exit() or _exit() was called
  kDetached = 2,  // the library gave up; reason in detach_reason
};

// Whether and how a process is looked at for leaks.
enum class LeakCheckMode : uint32_t {
  kNone = 0,
  kExit = 1,     // held at its end, if the library sees it coming
  kFull = 2,     // traced for life, so that it is held at any end but SIGKILL
  kForeign = 3,  // not: LeakSanitizer is in it
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
  // kEnd: how the process will end, as from waitpid. kLetGo: the process to be let
  // go of; 0: this one.
  int32_t status;
  uint64_t pc, sp, bx, bp, r12, r13, r14, r15;
};

// Code that the library does not see all calls of (bypass.h).
struct Bypass {
  enum Kind : uint32_t {
    kNone = 0,
    kDeepBound = 1,  // opened with RTLD_DEEPBIND, bound to libc's malloc
    kNamespace = 2,  // opened with dlmopen, with a libc of its own
    kOwnMalloc = 3,  // defines malloc for itself
  };
  static constexpr size_t kPathBytes = 252;
  std::atomic<uint32_t> kind;  // released when the path is there
  char path[kPathBytes];       // as the program named it; the end of a long one
};
inline constexpr uint32_t kMaxBypasses = 8;

// Classes of difference that verify mode counts (see unwinder/verify.h).
inline constexpr int kVerifyClasses = 8;

struct ImageHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;

  // Constant after creation. What is mapped from the start, and the file's size.
  uint64_t base_bytes, file_bytes;
  RingGeometry ring_words;
  // Bounds of the tables, however many chunks there are.
  uint32_t max_rings, max_modules, strings_bytes, max_nodes;
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
  // checks: the library as mapped, every mapping of this image's file, and
  // sys::OwnRange[own_ranges_max] at the address own_ranges.
  uint64_t library_start, library_end, own_ranges;
  uint32_t own_ranges_max;

  // Counters of the program. High-water marks: slots below were ever used.
  alignas(64) std::atomic<uint32_t> ring_count;
  std::atomic<uint32_t> node_count;  // ids handed out, kFirstNode included
  std::atomic<uint32_t> module_count;
  std::atomic<uint32_t> strings_used;
  std::atomic<uint32_t> program_state;  // ProgramState
  // Events for which there was no ring, and the bytes of the allocations among
  // them.
  std::atomic<uint64_t> ringless_events, ringless_bytes;
  std::atomic<uint64_t> private_bytes;  // tracer memory outside the image
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

  // Whether a seccomp filter stands in the process, by /proc/PID/status: while none
  // is known to, a thread that waits may sleep.
  std::atomic<uint32_t> filtered;  // 1 once one was seen, by either side
  // Where the chunks beyond the first are.
  ChunkTable<kMaxRingChunks> ring_chunks;
  ChunkTable<kMaxNodeChunks> node_chunks;
  ChunkTable<kMaxModuleChunks> module_chunks;
  ChunkTable<kMaxStringChunks> string_chunks;

  LeakCheckMode leak_check;  // constant after creation
  // kFull: 1 once the process is traced, 2 if it can't be; futex.
  std::atomic<uint32_t> traced;  // collector
  HoldRequest at_end;            // kEnd, once
  HoldRequest at_once;           // kCheck and kLetGo

  std::atomic<uint32_t> bypass_count;  // may be more than there is room for
  Bypass bypasses[kMaxBypasses];
  // Children that ran unrecorded, by Unrecordable: what this process, or one that
  // it forked, has executed without the library, and those that could not set up.
  // They inherit the header, if nothing else of the image, and count themselves.
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
  uint64_t key;  // kEnvKey's value: anybody may connect to an abstract socket
};

// Launch variables. The launcher sets them in the child only; the library
// reads them once and the exec wrappers carry them over.
// The path to connect to. The same name, as an abstract socket's, is there for
// processes that can't see or enter the directory: after a change of user, a
// chroot, in another mount namespace.
inline constexpr char kEnvSocket[] = "MALLOGRAM_SOCKET";
inline constexpr char kEnvKey[] = "MALLOGRAM_KEY";  // says that it was invited
inline constexpr uint64_t kMaxKey = 99'999'999'999'999'999;  // 56 bits of chance
// How many seccomp filters the launcher itself runs under. A process that has more
// when it starts was put into a sandbox that nothing here knows.
inline constexpr char kEnvFilters[] = "MALLOGRAM_FILTERS";
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
