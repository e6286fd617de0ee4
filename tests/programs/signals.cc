// Allocations in signal handlers that interrupt allocations. Only safe on a
// reentrant allocator: run it on bump_allocator.
//
//   signals HANDLERS             main allocates until so many signals have come
//   signals HANDLERS threads     and three threads do too
//   signals HANDLERS altstack    handlers run on an alternate stack
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "tests/programs/site.h"

namespace {

SITE(SiteMain);
SITE(SiteHandler);
SITE(SiteNested);

COUNTED void* SiteMain(size_t n) {
  void* p = Keep(malloc(n));
  SiteMain_account.Allocated(n);
  return p;
}
COUNTED void* SiteHandler(size_t n) {
  void* p = Keep(malloc(n));
  SiteHandler_account.Allocated(n);
  return p;
}
COUNTED void* SiteNested(size_t n) {
  void* p = Keep(realloc(Keep(nullptr), n));
  SiteNested_account.Allocated(n);
  return p;
}

std::atomic<int> handled{0};
thread_local int depth = 0;
void* kept_by_handler;

// The next alarm, 20 to 120 µs away, so that over time every instruction is
// interrupted. One at a time and armed by the handlers themselves: a timer that
// goes on by itself comes faster than handlers can be done with on a machine that
// has much to do, and fills their stack, recorded or not.
void ArmAlarm() {
  static std::atomic<unsigned> random{1};
  const unsigned next = random.load() * 1664525 + 1013904223;
  random.store(next);
  const itimerval soon{{0, 0},
                       {0, static_cast<suseconds_t>(20 + (next >> 16) % 100)}};
  setitimer(ITIMER_REAL, &soon, nullptr);
}

constexpr int kDeepest = 4;

void Handler(int) {
  if (++depth < kDeepest) ArmAlarm();
  void* p = SiteHandler(24);
  // One handler in eight is interrupted itself, for certain.
  if (depth == 1 && handled.fetch_add(1) % 8 == 0) {
    raise(SIGUSR1);
  }
  SiteHandler_account.Freed(24);
  free(p);
  void* q = SiteNested(40);
  if (depth == 1 && handled.load() % 64 == 0) {
    kept_by_handler = q;
  } else {
    SiteNested_account.Freed(40);
    free(q);
  }
  if (--depth == 0) ArmAlarm();
}

int wanted = 0;

void* Work(void* argument) {
  if (argument != nullptr) {
    stack_t stack{};
    stack.ss_size = 256 << 10;
    stack.ss_sp = SiteMain(stack.ss_size);
    if (sigaltstack(&stack, nullptr) != 0) abort();
  }
  void* blocks[16] = {};
  while (handled.load(std::memory_order_relaxed) < wanted) {
    for (int i = 0; i < 200; ++i) {
      void*& block = blocks[i * 5 % 16];
      if (block != nullptr) {
        SiteMain_account.Freed(32);
        free(block);
      }
      block = SiteMain(32);
    }
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  wanted = atoi(argv[1]);
  const bool threads = argc > 2 && strcmp(argv[2], "threads") == 0;
  const bool altstack = argc > 2 && strcmp(argv[2], "altstack") == 0;
  struct sigaction action {};
  action.sa_handler = Handler;
  action.sa_flags = SA_NODEFER | SA_RESTART | (altstack ? SA_ONSTACK : 0);
  sigaction(SIGALRM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  ArmAlarm();
  pthread_t ids[3];
  for (int i = 0; threads && i < 3; ++i) {
    if (pthread_create(&ids[i], nullptr, Work, nullptr) != 0) return 3;
  }
  Work(altstack ? argv : nullptr);
  for (int i = 0; threads && i < 3; ++i) pthread_join(ids[i], nullptr);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  truth::Write("signals");
  puts("done");
  return 0;
}
