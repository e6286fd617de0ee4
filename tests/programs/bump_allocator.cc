// A tiny allocator to be preloaded behind the tracer: lock-free and reentrant,
// so that a signal handler may allocate whatever it interrupted, and its blocks
// are aligned to 8 bytes only, which a tracer may not take for granted. Blocks of
// up to 1 KiB come back through a per-thread list, except in handlers; larger
// ones are never reused.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <atomic>

namespace {

constexpr size_t kArena = size_t{8} << 30;
std::atomic<char*> arena{nullptr};
std::atomic<size_t> used{0};

struct Header {
  size_t size;
};

char* Arena() {
  char* base = arena.load(std::memory_order_acquire);
  if (base != nullptr) return base;
  void* fresh = mmap(nullptr, kArena, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED) return nullptr;
  if (!arena.compare_exchange_strong(base, static_cast<char*>(fresh))) {
    munmap(fresh, kArena);
    return base;
  }
  return static_cast<char*>(fresh);
}

// Per thread and per size in 8-byte steps; `busy` keeps handlers out.
struct FreeList {
  bool busy;
  void* first[129];
};
thread_local FreeList free_list __attribute__((tls_model("initial-exec")));

void* Take(size_t alignment, size_t size) {
  if (size > kArena / 2 || alignment > kArena / 2) {
    errno = ENOMEM;
    return nullptr;
  }
  const size_t step = (size + 7) / 8;
  FreeList& list = free_list;
  if (alignment <= 8 && step <= 128 && !list.busy) {
    list.busy = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    void* p = list.first[step];
    if (p != nullptr) memcpy(&list.first[step], p, sizeof(void*));
    std::atomic_signal_fence(std::memory_order_seq_cst);
    list.busy = false;
    if (p != nullptr) return p;
  }
  char* base = Arena();
  // 8 bytes of header; an odd multiple of 8 in between keeps blocks off 16.
  const size_t room = (step == 0 ? 1 : step) * 8 + sizeof(Header) + alignment;
  const size_t at = used.fetch_add(room);
  if (base == nullptr || at + room > kArena) {
    errno = ENOMEM;
    return nullptr;
  }
  uintptr_t p = reinterpret_cast<uintptr_t>(base) + at + sizeof(Header);
  p = (p + alignment - 1) & ~(alignment - 1);
  reinterpret_cast<Header*>(p)[-1].size = size;
  return reinterpret_cast<void*>(p);
}

void* TakeAligned(size_t alignment, size_t size) {
  return Take(alignment < 8 ? 8 : alignment, size);
}

size_t SizeOf(void* p) { return static_cast<Header*>(p)[-1].size; }

// What the entry points share is called by these names: a call of an exported one
// would go to the tracer.
void Give(void* p) {
  if (p == nullptr) return;
  FreeList& list = free_list;
  const size_t step = (SizeOf(p) + 7) / 8;
  if (step == 0 || step > 128 || list.busy) return;
  list.busy = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // The size stays as it was rounded: a block serves its own step only.
  static_cast<Header*>(p)[-1].size = step * 8;
  memcpy(p, &list.first[step], sizeof(void*));
  list.first[step] = p;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  list.busy = false;
}

}  // namespace

extern "C" {
#define EXPORT [[gnu::visibility("default")]]
// Declared here, not by libc's headers, whose attributes differ.
EXPORT void* malloc(size_t size) noexcept;
EXPORT void free(void* p) noexcept;
EXPORT void* calloc(size_t count, size_t size) noexcept;
EXPORT void* realloc(void* p, size_t size) noexcept;
EXPORT void* memalign(size_t alignment, size_t size) noexcept;
EXPORT void* valloc(size_t size) noexcept;
EXPORT void* pvalloc(size_t size) noexcept;
EXPORT void* aligned_alloc(size_t alignment, size_t size) noexcept;
EXPORT int posix_memalign(void** result, size_t alignment, size_t size) noexcept;
EXPORT size_t malloc_usable_size(void* p) noexcept;

void* malloc(size_t size) noexcept { return Take(8, size); }

void free(void* p) noexcept { Give(p); }

void* calloc(size_t count, size_t size) noexcept {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* p = Take(8, bytes);
  if (p != nullptr) memset(p, 0, bytes);
  return p;
}

void* realloc(void* p, size_t size) noexcept {
  void* fresh = Take(8, size);
  if (fresh == nullptr || p == nullptr) return fresh;
  const size_t old = SizeOf(p);
  memcpy(fresh, p, old < size ? old : size);
  Give(p);
  return fresh;
}

void* memalign(size_t alignment, size_t size) noexcept {
  return TakeAligned(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept {
  return TakeAligned(alignment, size);
}
void* valloc(size_t size) noexcept { return TakeAligned(4096, size); }
void* pvalloc(size_t size) noexcept {
  return TakeAligned(4096, size > kArena ? size : (size + 4095) & ~size_t{4095});
}
int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  const int saved = errno;
  void* p = TakeAligned(alignment, size);
  errno = saved;
  if (p == nullptr) return ENOMEM;
  *result = p;
  return 0;
}
size_t malloc_usable_size(void* p) noexcept { return p == nullptr ? 0 : SizeOf(p); }
}
