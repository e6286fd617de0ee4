// Frees that do not fit, one of each kind, and pairs that do. The first argument
// says which: every case allocates in a function of its own and frees in another,
// so that both stacks can be told (allocate_NAME, free_NAME). Those after which the
// heap of libc would abort the program end with _exit at once.
//
// Built without the compiler's own warnings about all this.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#define APART __attribute__((noinline)) static

namespace {

// No compiler warns of a size that it does not know.
size_t Opaque(size_t size) {
  asm volatile("" : "+r"(size));
  return size;
}

struct Plain {
  char bytes[40];
};
struct Derived : Plain {
  char more[24];
};
struct WithDestructor {
  ~WithDestructor() { asm volatile("" ::"r"(this) : "memory"); }
  int value = 0;
};
struct alignas(128) Wide {
  char bytes[128];
};
struct Own {  // operators of its own
  static void* operator new(size_t bytes) { return malloc(bytes); }
  static void operator delete(void* p) { free(p); }
  static void* operator new[](size_t bytes) { return malloc(bytes); }
  static void operator delete[](void* p) { free(p); }
  long value[3];
};

int g_data[64];

}  // namespace

// ---- what does not fit ----------------------------------------------------

APART void* allocate_malloc_delete() { return malloc(40); }
APART void free_malloc_delete(void* p) { operator delete(p); }
APART void* allocate_malloc_delete_array() { return calloc(4, 10); }
APART void free_malloc_delete_array(void* p) { operator delete[](p); }
APART void* allocate_new_free() { return new Plain; }
APART void free_new_free(void* p) { free(p); }
APART void* allocate_new_delete_array() { return operator new(40); }
APART void free_new_delete_array(void* p) { operator delete[](p); }
APART void* allocate_array_delete() { return new char[40]; }
APART void free_array_delete(void* p) { operator delete(p); }
APART void* allocate_array_free() { return new char[40]; }
APART void free_array_free(void* p) { free(p); }
APART void* allocate_new_realloc() { return operator new(40); }
APART void free_new_realloc(void* p) { free(realloc(p, 80)); }
APART void* allocate_wrong_size() { return new Derived; }
APART void free_wrong_size(void* p) { operator delete(p, sizeof(Plain)); }
APART void* allocate_wrong_alignment() { return new Wide; }
APART void free_wrong_alignment(void* p) { operator delete(p); }
APART void* allocate_double_free() { return malloc(40); }
APART void free_double_free(void* p) { free(p); }
APART void again_double_free(void* p) { free(p); }
APART void* allocate_interior() { return malloc(400); }
APART void free_interior(void* p) { free(p); }
APART void free_foreign(void* p) { free(p); }
APART void* allocate_handed_over() { return malloc(40); }
APART void free_handed_over(void* p) { operator delete(p); }

namespace {

[[noreturn]] void Die(int) { _exit(0); }

// The last thing that a program does whose heap is broken.
void AbortIsTheEnd() { signal(SIGABRT, Die); }

int Wrong(const std::string& what) {
  if (what == "malloc_delete") free_malloc_delete(allocate_malloc_delete());
  if (what == "malloc_delete_array")
    free_malloc_delete_array(allocate_malloc_delete_array());
  if (what == "new_free") free_new_free(allocate_new_free());
  if (what == "new_delete_array")
    free_new_delete_array(allocate_new_delete_array());
  if (what == "array_delete") free_array_delete(allocate_array_delete());
  if (what == "array_free") free_array_free(allocate_array_free());
  if (what == "new_realloc") free_new_realloc(allocate_new_realloc());
  if (what == "wrong_size") free_wrong_size(allocate_wrong_size());
  if (what == "wrong_alignment") free_wrong_alignment(allocate_wrong_alignment());
  if (what == "many") {
    for (int i = 0; i < 1000; ++i) free_array_delete(allocate_array_delete());
  }
  if (what == "handed_over") {
    void* p = nullptr;
    std::thread([&p] { p = allocate_handed_over(); }).join();
    free_handed_over(p);
  }
  if (what == "double_free") {
    AbortIsTheEnd();
    void* p = allocate_double_free();
    free_double_free(p);
    again_double_free(p);
    _exit(0);
  }
  if (what == "interior") {
    AbortIsTheEnd();
    free_interior(static_cast<char*>(allocate_interior()) + 48);
    _exit(0);
  }
  if (what == "foreign") {
    AbortIsTheEnd();
    free_foreign(g_data + 4);
    _exit(0);
  }
  if (what == "stack") {
    AbortIsTheEnd();
    int local[16] = {};
    asm volatile("" ::"r"(local) : "memory");
    free_foreign(local + 4);
    _exit(0);
  }
  return 0;
}

// ---- what fits ------------------------------------------------------------

void Pairs() {
  free(malloc(1));
  free(malloc(0));
  free(calloc(3, 5));
  free(realloc(malloc(10), 1000));
  free(realloc(nullptr, 10));
  void* p = malloc(10);
  free(reallocarray(p, 3, 100));
  if (posix_memalign(&p, 64, 100) == 0) free(p);
  free(aligned_alloc(64, 128));
  free(memalign(64, 100));
  free(valloc(100));
  free(pvalloc(100));
  free(strdup("text"));
  free(nullptr);

  delete new Plain;
  delete new WithDestructor;
  delete[] new WithDestructor[7];
  delete[] new char[100];
  delete[] new char[Opaque(0)];
  delete new Wide;
  delete[] new Wide[3];
  delete new Own;
  delete[] new Own[3];
  delete new (std::nothrow) Plain;
  delete[] new (std::nothrow) Plain[4];
  delete new (std::nothrow) Wide;
  operator delete(operator new(0));
  operator delete (operator new(0), size_t{0});
  operator delete (operator new(33), size_t{33});
  operator delete[](operator new[](33), size_t{33});
  operator delete (operator new (33, std::align_val_t{64}), std::align_val_t{64});
  operator delete (operator new (33, std::align_val_t{64}), 33,
                   std::align_val_t{64});
  // An alignment that malloc's is enough for.
  operator delete(operator new (33, std::align_val_t{8}));
  operator delete(operator new(33, std::nothrow), std::nothrow);
  operator delete[](operator new[](33, std::nothrow), std::nothrow);
  delete static_cast<Plain*>(nullptr);

  alignas(Plain) char place[sizeof(Plain)];
  (new (place) Plain)->~Plain();
  void* const memory = malloc(sizeof(WithDestructor));
  (new (memory) WithDestructor)->~WithDestructor();
  free(memory);

  std::vector<int> vector;
  std::map<int, std::string> map;
  for (int i = 0; i < 200; ++i) {
    vector.push_back(i);
    map[i] = std::string(static_cast<size_t>(i), 'x');
  }
  std::allocator<Wide> wide;
  wide.deallocate(wide.allocate(2), 2);
  std::allocator<int> ints;
  ints.deallocate(ints.allocate(0), 0);
  std::make_shared<Wide>();
  std::shared_ptr<int[]> array(new int[10]);
  std::unique_ptr<Plain> one(new Plain);
  std::shared_ptr<void> released(malloc(10), free);

  char* line = nullptr;
  size_t room = 0;
  FILE* file = fopen("/proc/self/status", "r");
  while (file != nullptr && getline(&line, &room, file) > 0) {
  }
  free(line);
  if (file != nullptr) fclose(file);
  try {
    operator delete(operator new (~size_t{0} / 2));
  } catch (const std::bad_alloc&) {
  }
  free(realloc(malloc(8), 0));
}

// Blocks change threads, addresses change owners and kinds.
void PairsInThreads(int rounds) {
  constexpr int kThreads = 4;
  constexpr int kPlaces = 64;
  static void* places[kThreads][kPlaces];
  static int kinds[kThreads][kPlaces];
  static pthread_mutex_t locks[kThreads];
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    pthread_mutex_init(&locks[t], nullptr);
    threads.emplace_back([t, rounds] {
      auto seed = static_cast<unsigned>(t + 1);
      for (int i = 0; i < rounds; ++i) {
        seed = seed * 1664525 + 1013904223;
        const unsigned with = (seed >> 20) % kThreads, at = (seed >> 10) % kPlaces;
        const size_t bytes = 16 + (seed >> 24) % 4 * 16;
        const int kind = static_cast<int>((seed >> 28) % 3);
        void* p = kind == 0   ? malloc(bytes)
                  : kind == 1 ? operator new(bytes)
                              :
                              operator new[](bytes);
        pthread_mutex_lock(&locks[with]);
        std::swap(p, places[with][at]);
        const int old = std::exchange(kinds[with][at], kind);
        pthread_mutex_unlock(&locks[with]);
        if (old == 0) free(p);
        if (old == 1) operator delete(p);
        if (old == 2) operator delete[](p);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// What a parent allocated, its child frees; and then once more.
int Forked(bool twice) {
  AbortIsTheEnd();
  void* p = malloc(40);
  auto* plain = new Plain;
  const pid_t child = fork();
  if (child == 0) {
    free(p);
    delete plain;
    if (twice) again_double_free(p);
    _exit(0);
  }
  free(p);
  delete plain;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "pairs") {
    Pairs();
  } else if (what == "threads") {
    PairsInThreads(atoi(argv[2]));
  } else if (what == "fork") {
    return Forked(false);
  } else if (what == "fork_twice") {
    return Forked(true);
  } else {
    return Wrong(what);
  }
  return 0;
}
