// Allocations at the edges of a process's and a thread's life:
//
//   births early               before main: .preinit_array, constructors, static
//                              objects, and what dlsym allocates for an error
//   births late                after main: atexit, destructors, thread_local and
//                              pthread_key destructors
//   births threads N AT_ONCE   N threads are born, allocate, die, AT_ONCE together
#include <dlfcn.h>
#include <pthread.h>

#include "tests/programs/site.h"

namespace {

SITE(SitePreinit);
SITE(SiteConstructor);
SITE(SiteStatic);
SITE(SiteMain);
SITE(SiteThread);
SITE(SiteThreadLocal);
SITE(SiteKey);
SITE(SiteAtExit);

#define MALLOC(site, size)        \
  void* p = Keep(malloc(size));   \
  if (p == nullptr) abort();      \
  site##_account.Allocated(size); \
  return p

COUNTED void* SiteConstructor(size_t n) { MALLOC(SiteConstructor, n); }
COUNTED void* SiteStatic(size_t n) { MALLOC(SiteStatic, n); }
COUNTED void* SiteMain(size_t n) { MALLOC(SiteMain, n); }
COUNTED void* SiteThread(size_t n) { MALLOC(SiteThread, n); }
COUNTED void* SiteThreadLocal(size_t n) { MALLOC(SiteThreadLocal, n); }
COUNTED void* SiteKey(size_t n) { MALLOC(SiteKey, n); }
COUNTED void* SiteAtExit(size_t n) { MALLOC(SiteAtExit, n); }

// The accounts are not constructed yet when these run: main adds them.
int preinit_calls = 0, constructor_calls = 0;
void* early_blocks[8];

COUNTED void SitePreinit(int, char**, char**) {
  early_blocks[preinit_calls++] = Keep(malloc(11));
}
// Runs before every constructor, those of all libraries included.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*preinit_entry)(int, char**, char**) = SitePreinit;

[[gnu::constructor(101)]] void Constructor() {
  early_blocks[4 + constructor_calls++] = SiteConstructor(22);
}

struct Static {
  void* p;
  Static() : p(SiteStatic(33)) {}
  ~Static() {
    free(p);
    SiteStatic_account.Freed(33);
    void* late = SiteStatic(34);
    (void)late;
  }
};

// A destructor that allocates, frees, and leaves one alive.
struct Late {
  void* kept = nullptr;
  void Touch() { kept = SiteThreadLocal(40); }
  ~Late() {
    void* p = SiteThreadLocal(44);
    SiteThreadLocal_account.Freed(44);
    free(p);
    SiteThreadLocal_account.Freed(40);
    free(kept);
    SiteThreadLocal(48);
  }
};
thread_local Late late;

pthread_key_t key;

// Runs up to four times a thread: it sets itself again twice.
void KeyDestructor(void* value) {
  const auto left = reinterpret_cast<intptr_t>(value);
  void* p = SiteKey(55);
  SiteKey_account.Freed(55);
  free(p);
  if (left > 1) pthread_setspecific(key, reinterpret_cast<void*>(left - 1));
}

void* Thread(void* argument) {
  void* p = SiteThread(60);
  void* q = SiteThread(70);
  SiteThread_account.Freed(60);
  free(p);
  if (argument != nullptr) {
    late.Touch();
    pthread_setspecific(key, reinterpret_cast<void*>(3));
  }
  return q;  // freed by whoever joins
}

void JoinAndFree(pthread_t id) {
  void* q;
  if (pthread_join(id, &q) != 0) abort();
  SiteThread_account.Freed(70);
  free(q);
}

int Threads(int total, int at_once, void* argument) {
  pthread_t ids[512];
  if (at_once < 1 || at_once > 512) return 2;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  for (int done = 0; done < total; done += at_once) {
    for (int i = 0; i < at_once; ++i) {
      if (pthread_create(&ids[i], &attributes, Thread, argument) != 0) return 3;
    }
    for (int i = 0; i < at_once; ++i) JoinAndFree(ids[i]);
  }
  pthread_attr_destroy(&attributes);
  return 0;
}

// Registered first, runs last: writes the truth when all else has allocated.
void WriteTruth() { truth::Write("births"); }

void AtExit() {
  SiteAtExit(66);
  atexit([] { SiteAtExit(67); });  // registered while exiting
}

[[gnu::constructor(102)]] void RegisterTruth() { atexit(WriteTruth); }
// Constructed after RegisterTruth, so destroyed before WriteTruth.
Static static_object;

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  SitePreinit_account.calls = static_cast<uint64_t>(preinit_calls);
  SitePreinit_account.bytes = static_cast<uint64_t>(preinit_calls) * 11;
  // The account was constructed after the count: count again.
  SiteConstructor_account.calls = static_cast<uint64_t>(constructor_calls);
  SiteConstructor_account.bytes = static_cast<uint64_t>(constructor_calls) * 22;
  pthread_key_create(&key, KeyDestructor);
  SiteMain(1);
  if (strcmp(argv[1], "early") == 0) {
    printf("preinit %d, constructors %d\n", preinit_calls, constructor_calls);
    for (int i = 0; i < 100; ++i) {
      if (dlsym(RTLD_DEFAULT, "no_such_symbol_anywhere") != nullptr) return 4;
      if (dlerror() == nullptr) return 5;
    }
    return 0;
  }
  if (strcmp(argv[1], "late") == 0) {
    atexit(AtExit);
    late.Touch();
    pthread_setspecific(key, reinterpret_cast<void*>(3));  // never run for main
    puts("leaving");
    return Threads(20, 4, argv);
  }
  if (argc == 4) return Threads(atoi(argv[2]), atoi(argv[3]), nullptr);
  return 2;
}
