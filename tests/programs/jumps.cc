// Control that leaves frames behind, on stacks that come and go:
//
//   jumps longjmp | throw | coroutines | recursion DEPTH | altstack
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <stdexcept>

#include "tests/programs/site.h"

namespace {

SITE(SiteInner);
SITE(SiteOuter);
SITE(SiteCoroutine);
SITE(SiteBetween);
SITE(SiteBottom);
SITE(SiteHandler);

#define MALLOC(site, size)        \
  void* p = Keep(malloc(size));   \
  if (p == nullptr) abort();      \
  site##_account.Allocated(size); \
  return p
COUNTED void* SiteInner(size_t n) { MALLOC(SiteInner, n); }
COUNTED void* SiteOuter(size_t n) { MALLOC(SiteOuter, n); }
COUNTED void* SiteCoroutine(size_t n) { MALLOC(SiteCoroutine, n); }
COUNTED void* SiteBetween(size_t n) { MALLOC(SiteBetween, n); }
COUNTED void* SiteBottom(size_t n) { MALLOC(SiteBottom, n); }
COUNTED void* SiteHandler(size_t n) { MALLOC(SiteHandler, n); }

template <typename F>
void Drop(F& account, void* p, size_t n) {
  account.Freed(n);
  free(p);
}

// Allocates at every level on the way down, then leaves through `leave`.
template <typename F>
[[gnu::noinline]] int Down(int levels, F&& leave) {
  volatile int here = levels;
  Drop(SiteInner_account, SiteInner(10), 10);
  const int result = levels == 0 ? leave() : Down(levels - 1, leave);
  return result + here;
}

[[gnu::noinline]] int Longjmp() {
  jmp_buf back;
  volatile int returns = 0;
  static int i;  // not in a register that longjmp restores
  for (i = 0; i < 5000; ++i) {
    if (setjmp(back) == 0) {
      Down(i % 40, [&]() -> int { longjmp(back, 1); });
    } else {
      returns = returns + 1;
    }
    Drop(SiteOuter_account, SiteOuter(20), 20);
  }
  printf("%d returns\n", static_cast<int>(returns));
  return 0;
}

int Throw() {
  int caught = 0;
  for (int i = 0; i < 3000; ++i) {
    try {
      Down(i % 40, [&]() -> int { throw std::runtime_error("out"); });
    } catch (const std::runtime_error&) {
      ++caught;
    }
    Drop(SiteOuter_account, SiteOuter(20), 20);
  }
  printf("%d caught\n", caught);
  return 0;
}

// ---- coroutines -----------------------------------------------------------

struct Coroutine {
  static constexpr size_t kStack = 64 << 10;
  ucontext_t context;
  void* stack = nullptr;
  bool done = false;
};
ucontext_t scheduler;
Coroutine coroutines[40];
Coroutine* current;

void Yield() { swapcontext(&current->context, &scheduler); }

[[gnu::noinline]] void Levels(int levels) {
  volatile int here = levels;
  if (levels > 0) {
    Levels(levels - 1);
  } else {
    void* p = SiteCoroutine(30);
    Yield();
    void* q = SiteCoroutine(50);
    Drop(SiteCoroutine_account, p, 30);
    Yield();
    Drop(SiteCoroutine_account, q, 50);
  }
  here = here + 1;
}

void Body() {
  for (int i = 0; i < 5; ++i) Levels(i * 3);
  current->done = true;
}

// Stacks are unmapped as soon as their coroutine has ended, with the frames that
// a tracer may remember, and the next ones are mapped in their place.
[[gnu::noinline]] int Coroutines() {
  static int generation;  // getcontext returns twice, says the compiler
  for (generation = 0; generation < 25; ++generation) {
    for (Coroutine& c : coroutines) {
      c.stack = mmap(nullptr, Coroutine::kStack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (c.stack == MAP_FAILED) return 3;
      c.done = false;
      getcontext(&c.context);
      c.context.uc_stack = {c.stack, 0, Coroutine::kStack};
      c.context.uc_link = &scheduler;
      makecontext(&c.context, Body, 0);
    }
    for (int running = 40; running > 0;) {
      for (Coroutine& c : coroutines) {
        if (c.done) continue;
        current = &c;
        swapcontext(&scheduler, &c.context);
        if (c.done) {
          munmap(c.stack, Coroutine::kStack);
          --running;
        }
        Drop(SiteBetween_account, SiteBetween(15), 15);
      }
    }
  }
  puts("all coroutines ended");
  return 0;
}

// ---- depth ----------------------------------------------------------------

[[gnu::noinline]] int Recurse(int depth) {
  volatile int here = depth;
  if (depth == 0) {
    for (int i = 0; i < 50; ++i) Drop(SiteBottom_account, SiteBottom(64), 64);
  } else {
    if (depth % 5000 == 0) SiteInner(8);
    Recurse(depth - 1);
  }
  return here;
}

void* RecurseThread(void* argument) {
  Recurse(*static_cast<int*>(argument));
  return nullptr;
}

int Recursion(int depth) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{256} << 20);
  pthread_t id;
  if (pthread_create(&id, &attributes, RecurseThread, &depth) != 0) return 3;
  pthread_join(id, nullptr);
  puts("came back");
  return 0;
}

// ---- alternate stack ------------------------------------------------------

sigjmp_buf after_overflow;

void OverflowHandler(int) {
  Drop(SiteHandler_account, SiteHandler(70), 70);
  siglongjmp(after_overflow, 1);
}

[[gnu::noinline]] int Overflow(int depth) {
  volatile char frame[2048];
  frame[0] = 1;
  if (depth < 0) return 0;  // never
  return Overflow(depth + 1) + frame[0];
}

// A stack overflow that a handler on an alternate stack recovers from.
[[gnu::noinline]] int AltStack() {
  static char stack[64 << 10];
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof(stack);
  sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_handler = OverflowHandler;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
  static int i;
  for (i = 0; i < 5; ++i) {
    if (sigsetjmp(after_overflow, 1) == 0) Overflow(0);
    Drop(SiteOuter_account, SiteOuter(20), 20);
  }
  puts("recovered");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto is = [&](const char* mode) { return strcmp(argv[1], mode) == 0; };
  int result = 2;
  if (is("longjmp")) result = Longjmp();
  if (is("throw")) result = Throw();
  if (is("coroutines")) result = Coroutines();
  if (is("recursion")) result = Recursion(atoi(argv[2]));
  if (is("altstack")) result = AltStack();
  truth::Write("jumps");
  return result;
}
