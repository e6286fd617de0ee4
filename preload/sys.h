// Every operating-system primitive that the library uses, as raw system calls.
//
// Raw, because the library runs inside malloc of any program: libc's wrappers
// set errno, are cancellation points, may be interposed by others and may not be
// ready yet. Nothing here touches errno, allocates or takes a lock; all of it may
// be called from a signal handler and between fork and exec.
//
// Results are the kernel's: >= 0, or -errno.
#pragma once

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mallogram::sys {

inline constexpr size_t kPageBytes = 4096;

inline long Call(long number, long a = 0, long b = 0, long c = 0, long d = 0,
                 long e = 0, long f = 0) {
#if !defined(__x86_64__)
#error "sys.h knows x86-64 only; another CPU needs its own system call sequence"
#endif
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

template <typename T>
inline long Arg(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

inline bool IsError(long result) { return result < 0 && result > -4096; }

// Private memory that the library has mapped in all, for its self-report.
inline constinit std::atomic<uint64_t> mapped_bytes{0};
inline uint64_t MappedBytes() {
  return mapped_bytes.load(std::memory_order_relaxed);
}

// Where that memory is, for who scans the program for pointers: what the library
// remembers of stacks and blocks must keep no block alive. In the library's own
// data, so that a forked child, which inherits the mappings, inherits this, too;
// the image says where (ImageHeader.own_ranges). start == 0: free.
struct OwnRange {
  std::atomic<uint64_t> start, end;
};
// Reserves, large tables and chunks of thread states: a few dozen in a program with
// thousands of threads.
inline constexpr uint32_t kMaxOwnRanges = 4096;
inline constinit OwnRange own_ranges[kMaxOwnRanges] = {};
inline constinit std::atomic<uint32_t> own_ranges_used{0};  // high-water mark
inline constinit std::atomic<uint32_t> own_ranges_free{0};  // a hint: where to look

inline void NoteOwn(const void* p, size_t bytes) {
  const auto start = reinterpret_cast<uint64_t>(p);
  uint32_t i = own_ranges_free.load(std::memory_order_relaxed);
  for (; i < kMaxOwnRanges; ++i) {
    uint64_t expected = 0;
    if (own_ranges[i].start.load(std::memory_order_relaxed) == 0 &&
        own_ranges[i].start.compare_exchange_strong(expected, start)) {
      own_ranges[i].end.store(start + bytes, std::memory_order_relaxed);
      break;
    }
  }
  if (i == kMaxOwnRanges) return;
  own_ranges_free.store(i + 1, std::memory_order_relaxed);
  uint32_t used = own_ranges_used.load(std::memory_order_relaxed);
  while (used <= i && !own_ranges_used.compare_exchange_weak(used, i + 1)) {
  }
}

// REQUIRES: before it is unmapped, or another thread may map the same addresses and
// note them.
inline void ForgetOwn(const void* p) {
  const auto start = reinterpret_cast<uint64_t>(p);
  const uint32_t used = own_ranges_used.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < used; ++i) {
    if (own_ranges[i].start.load(std::memory_order_relaxed) != start) continue;
    own_ranges[i].end.store(0, std::memory_order_relaxed);
    own_ranges[i].start.store(0, std::memory_order_release);
    uint32_t free = own_ranges_free.load(std::memory_order_relaxed);
    while (free > i && !own_ranges_free.compare_exchange_weak(free, i)) {
    }
    return;
  }
}

// Zeroed private memory, or nullptr. `wipe_on_fork`: the child of a fork finds
// it zeroed again (MADV_WIPEONFORK), which is how it learns that it is one.
inline void* MapPrivate(size_t bytes, bool wipe_on_fork = false) {
  const long p = Call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (IsError(p)) return nullptr;
  if (wipe_on_fork &&
      IsError(Call(SYS_madvise, p, static_cast<long>(bytes), MADV_WIPEONFORK))) {
    Call(SYS_munmap, p, static_cast<long>(bytes));
    return nullptr;
  }
  mapped_bytes.fetch_add(bytes, std::memory_order_relaxed);
  NoteOwn(reinterpret_cast<void*>(p), bytes);
  return reinterpret_cast<void*>(p);
}

inline void Unmap(void* p, size_t bytes) {
  ForgetOwn(p);
  mapped_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  Call(SYS_munmap, Arg(p), static_cast<long>(bytes));
}

// The same for a table that will be touched all over: in memory at once, which
// costs a tenth of a fault a page, in huge pages if it is large.
inline void* MapTable(size_t bytes) {
  constexpr size_t kHugePage = 2 << 20;
  if (bytes < kHugePage) {
    const long p =
        Call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (IsError(p)) return nullptr;
    mapped_bytes.fetch_add(bytes, std::memory_order_relaxed);
    NoteOwn(reinterpret_cast<void*>(p), bytes);
    return reinterpret_cast<void*>(p);
  }
  auto* const mapped = static_cast<char*>(MapPrivate(bytes + kHugePage));
  if (mapped == nullptr) return nullptr;
  ForgetOwn(mapped);
  const size_t skip = -reinterpret_cast<size_t>(mapped) % kHugePage;
  char* const table = mapped + skip;
  if (skip != 0) Unmap(mapped, skip);
  constexpr size_t kPage = 4096;
  const size_t end = (bytes + kPage - 1) / kPage * kPage;
  Unmap(table + end, bytes + kHugePage - skip - end);
  NoteOwn(table, end);
  // Both are mere advice. What is very large fills slowly.
  constexpr size_t kSlowly = 16 << 20;
  Call(SYS_madvise, Arg(table), static_cast<long>(bytes), MADV_HUGEPAGE);
  if (bytes <= kSlowly) {
    Call(SYS_madvise, Arg(table), static_cast<long>(bytes), MADV_POPULATE_WRITE);
  }
  return table;
}

inline int GetPid() { return static_cast<int>(Call(SYS_getpid)); }
inline int GetTid() { return static_cast<int>(Call(SYS_gettid)); }

// Sleeps while *word == expected, at most timeout_ns.
inline long FutexWait(const void* word, uint32_t expected, uint64_t timeout_ns) {
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  return Call(SYS_futex, Arg(word), FUTEX_WAIT, expected, Arg(&timeout));
}
inline long FutexWake(const void* word, int waiters) {
  return Call(SYS_futex, Arg(word), FUTEX_WAKE, waiters);
}

inline uint64_t ClockNs(clockid_t clock) {
  timespec t{};
  Call(SYS_clock_gettime, clock, Arg(&t));
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace mallogram::sys
