// A user's own LD_PRELOAD library: interposes malloc and free in the usual way,
// with dlsym(RTLD_NEXT), and says at the end that it was in use. A tracer that
// drops it, or that it recurses into, is caught.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>

namespace {
std::atomic<unsigned long> mallocs{0}, frees{0};

struct Report {
  ~Report() {
    const char text[] = "the user's preload was here\n";
    if (mallocs > 0 && write(1, text, sizeof(text) - 1) < 0) _exit(99);
  }
};
Report report;
}  // namespace

extern "C" {
[[gnu::visibility("default")]] void* malloc(size_t size) noexcept;
[[gnu::visibility("default")]] void free(void* p) noexcept;

void* malloc(size_t size) noexcept {
  static void* (*real)(size_t) = nullptr;
  if (real == nullptr) {
    real = reinterpret_cast<void* (*)(size_t)>(dlsym(RTLD_NEXT, "malloc"));
  }
  mallocs.fetch_add(1, std::memory_order_relaxed);
  return real(size);
}
void free(void* p) noexcept {
  static void (*real)(void*) = nullptr;
  if (real == nullptr) {
    real = reinterpret_cast<void (*)(void*)>(dlsym(RTLD_NEXT, "free"));
  }
  frees.fetch_add(1, std::memory_order_relaxed);
  real(p);
}
}
