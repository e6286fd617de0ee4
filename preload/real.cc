#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>

#include <atomic>
#include <cstdint>

#include "preload/dynamic.h"
#include "preload/errno_guard.h"
#include "preload/loaded.h"

// The tail-jumping wrappers in interpose_process.cc need plain symbols.
extern "C" {
__attribute__((visibility("hidden"))) void* mallogram_real_dlopen;
__attribute__((visibility("hidden"))) void* mallogram_real_dlmopen;
__attribute__((visibility("hidden"))) void* mallogram_real_syscall;
}

namespace mallogram {

// Enough for dlsym's and dlerror's own needs before the first resolution ends;
// glibc 2.36 takes nothing at all.
alignas(64) char g_bootstrap[kBootstrapBytes];

namespace {

std::atomic<size_t> g_arena_used;
std::atomic<int> g_resolved;

struct alignas(16) ArenaBlock {
  size_t bytes;
};

void* ArenaAllocate(size_t bytes, size_t alignment = 16) {
  if (bytes > kBootstrapBytes || alignment > kBootstrapBytes / 4) {
    errno = ENOMEM;
    return nullptr;
  }
  const size_t need = sizeof(ArenaBlock) + bytes + alignment + 15;
  const size_t at = g_arena_used.fetch_add(need & ~size_t{15});
  if (at + need > kBootstrapBytes) {
    errno = ENOMEM;
    return nullptr;
  }
  uintptr_t p = reinterpret_cast<uintptr_t>(g_bootstrap) + at + sizeof(ArenaBlock);
  p = (p + alignment - 1) & ~(alignment - 1);
  reinterpret_cast<ArenaBlock*>(p)[-1].bytes = bytes;
  return reinterpret_cast<void*>(p);
}

// The stubs. While dlsym runs, calls come back here: they get arena memory.
thread_local bool t_resolving;

void* FirstMalloc(size_t size) {
  if (t_resolving) return ArenaAllocate(size);
  ResolveReal();
  return g_real.malloc(size);
}
void* FirstCalloc(size_t count, size_t size) {
  size_t bytes = 0;
  if (t_resolving) {
    if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
    return ArenaAllocate(bytes);  // the arena is zero and never reused
  }
  ResolveReal();
  return g_real.calloc(count, size);
}
void* FirstRealloc(void* old, size_t size) {
  if (t_resolving) {
    void* p = ArenaAllocate(size);
    if (p != nullptr && old != nullptr) {
      const size_t had = BootstrapBlockSize(old);
      __builtin_memcpy(p, old, had < size ? had : size);
    }
    return p;
  }
  ResolveReal();
  return g_real.realloc(old, size);
}
void FirstFree(void* p) {
  if (t_resolving) return;
  ResolveReal();
  g_real.free(p);
}

template <typename F>
void Find(F* function, const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found != nullptr) *function = reinterpret_cast<F>(found);
}

// Of names that not every libc has: a search that fails has dlsym allocate words
// about that, from the program's heap and perhaps under a lock of its allocator.
template <typename F>
void FindIfThere(F* function, const char* name) {
  const link_map* map = LibraryModule();
  while (map != nullptr && (map = map->l_next) != nullptr) {
    if (DynamicSection(map).Find(name) != nullptr) return Find(function, name);
  }
}

std::atomic<bool> g_libc_is_behind, g_libc_has_names;

// libc is where this is, which nobody replaces.
const link_map* Libc() {
  return ModuleOf(dlsym(RTLD_NEXT, "gnu_get_libc_version"));
}

// Whether all of them lie in `libc`, or are not there.
template <typename... F>
bool AreLibcs(const link_map* libc, F*... functions) {
  return libc != nullptr &&
         ((functions == nullptr ||
           ModuleOf(reinterpret_cast<const void*>(functions)) == libc) &&
          ...);
}

}  // namespace

constinit RealFunctions g_original = {};
constinit RealFunctions g_real = {
    .malloc = FirstMalloc,
    .calloc = FirstCalloc,
    .realloc = FirstRealloc,
    .free = FirstFree,
};

void ResolveReal() {
  if (g_resolved.load(std::memory_order_acquire) != 0) return;
  const KeepErrno keep;
  t_resolving = true;
  RealFunctions real = g_real;
  Find(&real.posix_memalign, "posix_memalign");
  Find(&real.aligned_alloc, "aligned_alloc");
  Find(&real.memalign, "memalign");
  Find(&real.valloc, "valloc");
  Find(&real.pvalloc, "pvalloc");
  FindIfThere(&real.free_sized, "free_sized");
  FindIfThere(&real.free_aligned_sized, "free_aligned_sized");
  Find(&real.malloc_usable_size, "malloc_usable_size");
  Find(&real.libc_malloc, "__libc_malloc");
  Find(&real.libc_calloc, "__libc_calloc");
  Find(&real.libc_realloc, "__libc_realloc");
  Find(&real.libc_free, "__libc_free");
  Find(&real.libc_memalign, "__libc_memalign");
  Find(&real.libc_valloc, "__libc_valloc");
  Find(&real.libc_pvalloc, "__libc_pvalloc");
  Find(&mallogram_real_dlopen, "dlopen");
  Find(&mallogram_real_dlmopen, "dlmopen");
  Find(&real.dlclose, "dlclose");
  Find(&real.execve, "execve");
  Find(&real.execvpe, "execvpe");
  Find(&real.fexecve, "fexecve");
  Find(&real.execveat, "execveat");
  Find(&real.posix_spawn, "posix_spawn");
  Find(&real.posix_spawnp, "posix_spawnp");
  Find(&real.system, "system");
  Find(&real.popen, "popen");
  Find(&real.exit_now, "_exit");
  Find(&real.quick_exit, "quick_exit");
  Find(&real.abort, "abort");
  Find(&real.assert_fail, "__assert_fail");
  Find(&real.ptrace, "ptrace");
  Find(&real.write, "write");
  Find(&real.clone, "clone");
  Find(&real.prctl, "prctl");
  Find(&real.clock_gettime, "clock_gettime");
  FindIfThere(&real.thread_id_field, "_thread_db_pthread_tid");
  Find(&mallogram_real_syscall, "syscall");
  Find(&real.calloc, "calloc");
  Find(&real.realloc, "realloc");
  Find(&real.free, "free");
  Find(&real.malloc, "malloc");
  // What was not found left an error; the program must not see it. The first
  // call hands the text out, the second gives it back.
  dlerror();
  dlerror();
  // Two threads may get here at once and write the same values.
  const link_map* const libc = Libc();
  const bool names = AreLibcs(libc, real.libc_malloc, real.libc_calloc,
                              real.libc_realloc, real.libc_free, real.libc_memalign,
                              real.libc_valloc, real.libc_pvalloc);
  const bool all =
      names && AreLibcs(libc, real.malloc, real.calloc, real.realloc, real.free,
                        real.posix_memalign, real.aligned_alloc, real.memalign,
                        real.valloc, real.pvalloc, real.free_sized,
                        real.free_aligned_sized, real.malloc_usable_size);
  g_libc_has_names.store(names, std::memory_order_relaxed);
  g_libc_is_behind.store(all, std::memory_order_relaxed);
  if (!all) {
    g_original = real;
    MarkCalls(&real);
  }
  g_real = real;
  t_resolving = false;
  g_resolved.store(1, std::memory_order_release);
}

bool LibcIsBehind() {
  ResolveReal();
  return g_libc_is_behind.load(std::memory_order_relaxed);
}

bool LibcHasItsNames() {
  ResolveReal();
  return g_libc_has_names.load(std::memory_order_relaxed);
}

bool Resolving() { return t_resolving; }

Uncounted::Uncounted() : outer_(t_resolving) { t_resolving = true; }
Uncounted::~Uncounted() { t_resolving = outer_; }

size_t BootstrapBlockSize(const void* p) {
  return static_cast<const ArenaBlock*>(p)[-1].bytes;
}

}  // namespace mallogram
