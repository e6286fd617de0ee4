// A program with an allocator of its own in the executable, as jemalloc and
// mimalloc are when linked in: a preload can't interpose it. It must work, and
// the tracer should say what it can't see.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

namespace {
alignas(16) char arena[16 << 20];
size_t used = 0;
unsigned long calls = 0;
}  // namespace

extern "C" {
void* malloc(size_t size) noexcept;
void free(void* p) noexcept;
void* calloc(size_t count, size_t size) noexcept;
void* realloc(void* p, size_t size) noexcept;

void* malloc(size_t size) noexcept {
  ++calls;
  const size_t room = (size + 31) & ~size_t{15};
  if (used + room > sizeof(arena)) return nullptr;
  char* p = arena + used + 16;
  used += room;
  memcpy(p - 16, &size, sizeof(size));
  return p;
}
void free(void*) noexcept {}
void* calloc(size_t count, size_t size) noexcept { return malloc(count * size); }
void* realloc(void* p, size_t size) noexcept {
  void* fresh = malloc(size);
  if (p == nullptr || fresh == nullptr) return fresh;
  size_t old;
  memcpy(&old, static_cast<char*>(p) - 16, sizeof(old));
  memcpy(fresh, p, old < size ? old : size);
  return fresh;
}
}

int main() {
  const unsigned long before = calls;
  for (int i = 0; i < 100; ++i) {
    void* p = malloc(100);
    asm volatile("" : "+r"(p) : : "memory");
    if (p < arena || p >= arena + sizeof(arena)) return 3;
    free(p);
  }
  printf("my own malloc served %lu calls\n", calls - before);
  return 0;
}
