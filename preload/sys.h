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
  return reinterpret_cast<void*>(p);
}

inline void Unmap(void* p, size_t bytes) {
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
    return reinterpret_cast<void*>(p);
  }
  auto* const mapped = static_cast<char*>(MapPrivate(bytes + kHugePage));
  if (mapped == nullptr) return nullptr;
  const size_t skip = -reinterpret_cast<size_t>(mapped) % kHugePage;
  char* const table = mapped + skip;
  if (skip != 0) Unmap(mapped, skip);
  constexpr size_t kPage = 4096;
  const size_t end = (bytes + kPage - 1) / kPage * kPage;
  Unmap(table + end, bytes + kHugePage - skip - end);
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
