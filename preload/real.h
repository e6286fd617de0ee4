// The functions that come next: the real entry points behind the interposed ones.
//
// Whatever the dynamic linker finds after this library (glibc, or an allocator
// that the user preloads): no contract of theirs is ours to change. Each pointer
// starts at a stub that resolves all of them and calls on, so that the hot path
// needs no test. dlsym may itself allocate, before there is anything to allocate
// with: such calls are served from a small arena that is never given back.
#pragma once

#include <spawn.h>
#include <sys/types.h>
#include <time.h>

#include <cstddef>
#include <cstdint>

namespace mallogram {

struct RealFunctions {
  void* (*malloc)(size_t) = nullptr;
  void* (*calloc)(size_t, size_t) = nullptr;
  void* (*realloc)(void*, size_t) = nullptr;
  void (*free)(void*) = nullptr;
  // From here on nullptr where the libc has none (resolved by ResolveReal).
  int (*posix_memalign)(void**, size_t, size_t) = nullptr;
  void* (*aligned_alloc)(size_t, size_t) = nullptr;
  void* (*memalign)(size_t, size_t) = nullptr;
  void* (*valloc)(size_t) = nullptr;
  void* (*pvalloc)(size_t) = nullptr;
  void (*free_sized)(void*, size_t) = nullptr;
  void (*free_aligned_sized)(void*, size_t, size_t) = nullptr;
  size_t (*malloc_usable_size)(void*) = nullptr;
  // glibc's own names, which some allocators define, too.
  void* (*libc_malloc)(size_t) = nullptr;
  void* (*libc_calloc)(size_t, size_t) = nullptr;
  void* (*libc_realloc)(void*, size_t) = nullptr;
  void (*libc_free)(void*) = nullptr;
  void* (*libc_memalign)(size_t, size_t) = nullptr;
  void* (*libc_valloc)(size_t) = nullptr;
  void* (*libc_pvalloc)(size_t) = nullptr;
  int (*dlclose)(void*) = nullptr;
  int (*execve)(const char*, char* const*, char* const*) = nullptr;
  int (*execvpe)(const char*, char* const*, char* const*) = nullptr;
  int (*fexecve)(int, char* const*, char* const*) = nullptr;
  int (*execveat)(int, const char*, char* const*, char* const*, int) = nullptr;
  int (*posix_spawn)(pid_t*, const char*, const posix_spawn_file_actions_t*,
                     const posix_spawnattr_t*, char* const*,
                     char* const*) = nullptr;
  int (*posix_spawnp)(pid_t*, const char*, const posix_spawn_file_actions_t*,
                      const posix_spawnattr_t*, char* const*,
                      char* const*) = nullptr;
  int (*system)(const char*) = nullptr;
  void* (*popen)(const char*, const char*) = nullptr;
  void (*exit_now)(int) = nullptr;  // _exit
  void (*quick_exit)(int) = nullptr;
  void (*abort)() = nullptr;
  void (*assert_fail)(const char*, const char*, unsigned int,
                      const char*) = nullptr;
  long (*ptrace)(int, ...) = nullptr;
  ssize_t (*write)(int, const void*, size_t) = nullptr;
  int (*clone)(int (*)(void*), void*, int, void*, ...) = nullptr;
  int (*prctl)(int, ...) = nullptr;
  int (*clock_gettime)(clockid_t, timespec*) = nullptr;
  // glibc's word on where a thread's number lies: thread_id.h.
  const uint32_t* thread_id_field = nullptr;
};

// Hidden here too: -fvisibility=hidden is for definitions alone, and every use of
// an extern one goes through the global offset table.
[[gnu::visibility("hidden")]] extern RealFunctions g_real;

// Fills g_real. Idempotent; called by the stubs and by the constructor.
void ResolveReal();

// Whether all of the malloc family behind us is libc's, which never calls back. If
// it is not, the functions of g_real mark the thread (inside.h), and g_original has
// what they call.
bool LibcIsBehind();
// Whether at least glibc's own names are libc's.
bool LibcHasItsNames();
[[gnu::visibility("hidden")]] extern RealFunctions g_original;
// Puts the marking functions in the place of those of `real`, which are
// g_original's.
void MarkCalls(RealFunctions* real);

// For the functions that have no stub in g_real: true if the real one exists.
template <typename F>
bool Resolved(F* const& function) {
  if (function == nullptr) [[unlikely]]
    ResolveReal();
  return function != nullptr;
}

// True while the calling thread is in ResolveReal: what dlsym allocates then comes
// from the start-up arena and is not the program's.
bool Resolving();

// The same for other look-ups, as long as it lives.
class Uncounted {
 public:
  Uncounted();
  ~Uncounted();

 private:
  bool outer_;
};

// The start-up arena. The real free must never see its blocks.
inline constexpr size_t kBootstrapBytes = 64 << 10;
alignas(64) extern char g_bootstrap[kBootstrapBytes];
inline bool IsBootstrapBlock(const void* p) {
  return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(g_bootstrap) <
         kBootstrapBytes;
}
// Size that such a block was given.
size_t BootstrapBlockSize(const void* p);

}  // namespace mallogram
