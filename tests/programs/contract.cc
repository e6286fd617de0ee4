// The contracts of every allocation entry point, as a transcript: each line says
// what a call did to its result, to errno, to alignment and to contents. No
// addresses, so two runs on the same allocator print the same; the test compares
// a plain run with a traced one. Also run in a second thread.
//
//   contract missing        names the entry points that do not come from the object
//                           that malloc comes from (an allocator that lacks some
//                           leaves them to the libc, and mixing the two crashes
//                           with and without a tracer)
//   contract [SKIP…]        the transcript, without the entry points named
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <initializer_list>
#include <new>

namespace {

constexpr int kSentinel = 4242;
// Volatile: the compiler must neither fold these calls nor warn about them.
volatile size_t huge = static_cast<size_t>(PTRDIFF_MAX) + 1;
volatile size_t largest = SIZE_MAX;
volatile size_t zero = 0;

char** skipped = nullptr;

bool Have(const char* entry_point) {
  for (char** name = skipped; *name != nullptr; ++name) {
    if (strcmp(*name, entry_point) == 0) return false;
  }
  return true;
}

const void* ObjectOf(const char* symbol) {
  Dl_info info;
  void* p = dlsym(RTLD_DEFAULT, symbol);
  return p != nullptr && dladdr(p, &info) != 0 ? info.dli_fbase : nullptr;
}

void PrintMissing() {
  for (const char* name :
       {"calloc", "realloc", "reallocarray", "free", "posix_memalign",
        "aligned_alloc", "memalign", "valloc", "pvalloc", "malloc_usable_size",
        "cfree", "free_sized", "free_aligned_sized"}) {
    if (ObjectOf(name) != ObjectOf("malloc")) puts(name);
  }
}

const char* ErrnoName(int value) {
  switch (value) {
    case kSentinel:
      return "kept";
    case 0:
      return "0";
    case ENOMEM:
      return "ENOMEM";
    case EINVAL:
      return "EINVAL";
  }
  return "another";
}

// One line of the transcript; frees the block.
void Say(const char* what, void* p, size_t requested, size_t alignment) {
  const int error = errno;
  if (p == nullptr) {
    printf("%s -> NULL, errno %s\n", what, ErrnoName(error));
    return;
  }
  const size_t usable = malloc_usable_size(p);
  memset(p, 0x5a, requested);
  printf("%s -> block, errno %s, usable %zu%s%s\n", what, ErrnoName(error), usable,
         usable >= requested ? "" : " TOO SMALL",
         reinterpret_cast<uintptr_t>(p) % alignment == 0 ? "" : " MISALIGNED");
  errno = kSentinel;
  free(p);
  if (errno != kSentinel) printf("%s: free changed errno\n", what);
}

#define CALL(expression, requested, alignment)          \
  do {                                                  \
    errno = kSentinel;                                  \
    Say(#expression, expression, requested, alignment); \
  } while (0)

void Malloc() {
  for (size_t size : {size_t{0}, size_t{1}, size_t{8}, size_t{16}, size_t{24},
                      size_t{100}, size_t{1000}, size_t{4096}, size_t{100'000},
                      size_t{1'000'000}, size_t{33'000'000}}) {
    printf("%zu: ", size);
    CALL(malloc(size), size, size < 16 ? 8 : 16);
  }
  CALL(malloc(huge), 0, 1);
  CALL(malloc(largest), 0, 1);
  CALL(malloc(largest - 100), 0, 1);
  errno = kSentinel;
  free(nullptr);
  printf("free(NULL): errno %s\n", ErrnoName(errno));
  printf("malloc_usable_size(NULL) = %zu\n", malloc_usable_size(nullptr));
}

bool AllZero(const void* p, size_t bytes) {
  const auto* b = static_cast<const unsigned char*>(p);
  for (size_t i = 0; i < bytes; ++i) {
    if (b[i] != 0) return false;
  }
  return true;
}

void Calloc() {
  for (size_t size : {size_t{1}, size_t{24}, size_t{1000}, size_t{200'000}}) {
    void* dirty = malloc(size);
    memset(dirty, 0xff, size);
    free(dirty);
    errno = kSentinel;
    void* p = calloc(size, 3);
    const int error = errno;
    printf("calloc(%zu, 3) %s, ", size,
           p != nullptr && AllZero(p, size * 3) ? "zeroed" : "NOT ZEROED");
    errno = error;
    Say("calloc", p, size * 3, 8);
  }
  CALL(calloc(zero, 10), 0, 1);
  CALL(calloc(10, zero), 0, 1);
  CALL(calloc(huge, 2), 0, 1);
  CALL(calloc(largest / 2 + 2, 2), 0, 1);  // wraps to 2
  CALL(calloc(largest / 3, 5), 0, 1);
}

void Realloc() {
  CALL(realloc(nullptr, 100), 100, 16);
  CALL(realloc(nullptr, zero), 0, 1);
  if (Have("reallocarray")) {
    CALL(reallocarray(nullptr, 10, 10), 100, 16);
    CALL(reallocarray(nullptr, largest / 2 + 2, 2), 0, 1);
  }
  char* p = static_cast<char*>(malloc(100));
  for (int i = 0; i < 100; ++i) p[i] = static_cast<char>(i);
  const auto intact = [&](int bytes) {
    for (int i = 0; i < bytes; ++i) {
      if (p[i] != static_cast<char>(i)) return "CONTENTS LOST";
    }
    return "contents kept";
  };
  // Growing and shrinking, far enough to move and to change size classes.
  for (size_t size : {size_t{120}, size_t{5000}, size_t{400'000},
                      size_t{40'000'000}, size_t{3000}, size_t{100}}) {
    errno = kSentinel;
    p = static_cast<char*>(realloc(p, size));
    const int error = errno;
    printf("realloc to %zu: errno %s, usable %zu, %s\n", size, ErrnoName(error),
           malloc_usable_size(p), intact(100));
  }
  // Failure: NULL, and the old block is as it was.
  for (size_t size : {size_t{huge}, size_t{largest}}) {
    errno = kSentinel;
    void* failed = realloc(p, size);
    printf("realloc too large: %s, errno %s, %s\n",
           failed == nullptr ? "NULL" : "block", ErrnoName(errno), intact(100));
  }
  if (Have("reallocarray")) {
    errno = kSentinel;
    void* failed = reallocarray(p, largest / 2 + 2, 2);
    printf("reallocarray overflow: %s, errno %s, %s\n",
           failed == nullptr ? "NULL" : "block", ErrnoName(errno), intact(100));
    p = static_cast<char*>(reallocarray(p, 30, 10));
    printf("reallocarray(p, 30, 10): usable %zu, %s\n", malloc_usable_size(p),
           intact(100));
  }
  errno = kSentinel;
  void* emptied = realloc(p, zero);
  printf("realloc(p, 0): %s, errno %s\n", emptied == nullptr ? "NULL" : "block",
         ErrnoName(errno));
  free(emptied);
  // An over-aligned block keeps its contents, if not its alignment.
  p = static_cast<char*>(aligned_alloc(4096, 8192));
  for (int i = 0; i < 100; ++i) p[i] = static_cast<char>(i);
  p = static_cast<char*>(realloc(p, 100'000));
  printf("realloc of an aligned block: usable %zu, %s\n", malloc_usable_size(p),
         intact(100));
  free(p);
}

void Aligned() {
  for (size_t alignment : {size_t{8}, size_t{16}, size_t{64}, size_t{4096},
                           size_t{65'536}, size_t{1} << 21}) {
    for (size_t size : {size_t{0}, size_t{1}, size_t{100}, size_t{10'000}}) {
      printf("alignment %zu size %zu: ", alignment, size);
      CALL(aligned_alloc(alignment, size), size, alignment);
      CALL(memalign(alignment, size), size, alignment);
      void* p = reinterpret_cast<void*>(16);
      errno = kSentinel;
      const int result = posix_memalign(&p, alignment, size);
      printf("posix_memalign = %s, ", ErrnoName(result));
      Say("posix_memalign", result == 0 ? p : nullptr, size, alignment);
    }
  }
  for (size_t alignment :
       {size_t{0}, size_t{1}, size_t{3}, size_t{4}, size_t{24}, size_t{100}}) {
    void* p = reinterpret_cast<void*>(16);
    errno = kSentinel;
    const int result = posix_memalign(&p, alignment, 10);
    printf("posix_memalign(%zu) = %s, errno %s, pointer %s\n", alignment,
           ErrnoName(result), ErrnoName(errno),
           p == reinterpret_cast<void*>(16) ? "untouched" : "changed");
    if (result == 0) free(p);
  }
  void* p = reinterpret_cast<void*>(16);
  errno = kSentinel;
  const int result = posix_memalign(&p, 64, huge);
  printf("posix_memalign(huge) = %s, errno %s, pointer %s\n", ErrnoName(result),
         ErrnoName(errno),
         p == reinterpret_cast<void*>(16) ? "untouched" : "changed");
  CALL(aligned_alloc(64, huge), 0, 1);
  CALL(aligned_alloc(64, largest - 10), 0, 1);
  CALL(memalign(64, largest - 10), 0, 1);
  CALL(memalign(huge, 10), 0, 1);
  CALL(valloc(1), 1, 4096);
  CALL(valloc(10'000), 10'000, 4096);
  CALL(valloc(huge), 0, 1);
  if (Have("pvalloc")) {
    CALL(pvalloc(1), 4096, 4096);
    CALL(pvalloc(4097), 8192, 4096);
    CALL(pvalloc(largest - 10), 0, 1);
  }
}

// Entry points that not every libc has: used where the run has them. Whether it
// does is not part of the transcript, only that they work.
void Optional() {
  const auto find = [](const char* name) {
    return Have(name) ? dlsym(RTLD_DEFAULT, name) : nullptr;
  };
  const auto cfree = reinterpret_cast<void (*)(void*)>(find("cfree"));
  const auto sized = reinterpret_cast<void (*)(void*, size_t)>(find("free_sized"));
  const auto aligned_sized =
      reinterpret_cast<void (*)(void*, size_t, size_t)>(find("free_aligned_sized"));
  void* p = malloc(50);
  errno = kSentinel;
  cfree != nullptr ? cfree(p) : free(p);
  printf("cfree: errno %s\n", ErrnoName(errno));
  p = malloc(60);
  sized != nullptr ? sized(p, 60) : free(p);
  p = aligned_alloc(64, 128);
  aligned_sized != nullptr ? aligned_sized(p, 64, 128) : free(p);
  if (cfree != nullptr) cfree(nullptr);
  if (sized != nullptr) sized(nullptr, 0);
  if (aligned_sized != nullptr) aligned_sized(nullptr, 64, 0);
  printf("free_sized, free_aligned_sized: errno %s\n", ErrnoName(errno));
}

int handler_calls = 0;

void Operators() {
  struct alignas(128) Wide {
    char bytes[256];
  };
  delete new int(7);
  delete[] new int[100];
  delete new Wide;
  delete[] new Wide[3];
  for (size_t size : {size_t{0}, size_t{1}, size_t{1000}}) {
    void* p = ::operator new(size);
    printf("operator new(%zu): usable %zu\n", size, malloc_usable_size(p));
    ::operator delete(p, size);
    p = ::operator new[](size);
    ::operator delete[](p, size);
    p = ::operator new(size, std::nothrow);
    ::operator delete(p, std::nothrow);
    p = ::operator new[](size, std::nothrow);
    ::operator delete[](p, std::nothrow);
    p = ::operator new (size, std::align_val_t{256});
    printf("operator new(%zu, align 256): %s\n", size,
           reinterpret_cast<uintptr_t>(p) % 256 == 0 ? "aligned" : "MISALIGNED");
    ::operator delete (p, size, std::align_val_t{256});
    p = ::operator new[](size, std::align_val_t{256});
    ::operator delete[](p, std::align_val_t{256});
    p = ::operator new (size, std::align_val_t{256}, std::nothrow);
    ::operator delete (p, std::align_val_t{256}, std::nothrow);
  }
  ::operator delete(nullptr);
  ::operator delete[](nullptr);
  if (!Have("bad_alloc")) return;  // mimalloc built as C aborts here
  for (int handled = 0; handled < 2; ++handled) {
    handler_calls = 0;
    std::set_new_handler(handled == 0 ? nullptr : +[] {
      if (++handler_calls == 3) std::set_new_handler(nullptr);
    });
    try {
      void* p = ::operator new(huge);
      printf("operator new(huge) -> %s\n", p == nullptr ? "NULL" : "block");
    } catch (const std::bad_alloc&) {
      printf("operator new(huge) threw bad_alloc, handler called %d times\n",
             handler_calls);
    }
  }
  try {
    void* p = ::operator new[](huge, std::align_val_t{64});
    printf("aligned new[](huge) -> %s\n", p == nullptr ? "NULL" : "block");
  } catch (const std::bad_alloc&) {
    printf("aligned new[](huge) threw bad_alloc\n");
  }
  printf("nothrow new(huge) -> %s\n",
         ::operator new(huge, std::nothrow) == nullptr ? "NULL" : "block");
  printf("nothrow aligned new(huge) -> %s\n",
         ::operator new (huge, std::align_val_t{64}, std::nothrow) == nullptr
             ? "NULL"
             : "block");
}

void* Transcript(void*) {
  Malloc();
  Calloc();
  Realloc();
  Aligned();
  Optional();
  Operators();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "missing") == 0) {
    PrintMissing();
    return 0;
  }
  skipped = argv + 1;
  setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
  printf("main thread\n");
  Transcript(nullptr);
  printf("second thread\n");
  pthread_t thread;
  if (pthread_create(&thread, nullptr, Transcript, nullptr) != 0) return 1;
  pthread_join(thread, nullptr);
  return 0;
}
