// Blocks of known classes, held when the process ends in some way.
//
//   leak_endings ENDING [THREADS]
//   leak_endings threads           makes threads until it is killed
//
// Every class has a size of its own, by which a test finds it in the leak check:
//
//   kLost       definite: its only pointer was in a frame that has returned
//   kChild      indirect: in a kLost block
//   kGlobal     reachable: from a global
//   kHeld       reachable: from a local of a frame that is alive at the end
//   kThread     reachable: from another thread's stack only
//   kRegister   reachable: in a register of another, spinning thread only
//   kMain       main's local: alive unless main has returned or exit was called
//   kDead       in many places of main's frame; as kMain
//   kLate       freed by a static destructor that runs after the library's
//
// THREADS: none, running (a loop that allocates), blocked (in a system call),
// spinning (with every signal blocked, kRegister in a register).
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>

namespace {

constexpr size_t kLost = 1001, kChild = 1003, kGlobal = 1005, kHeld = 1007,
                 kThread = 1009, kRegister = 1011, kMain = 1013, kLate = 1015,
                 kInherited = 1017, kOwn = 1019, kDead = 1021;

void* volatile global;
void** volatile inherited;
std::atomic<int> ready;

// Not from an argument or a variable that stays in a register.
[[gnu::noinline]] void* Make(size_t size) {
  void* p = malloc(size);
  memset(p, 0, size);
  return p;
}

// Overwrites what dead frames have left on the stack.
[[gnu::noinline]] void Wipe() {
  volatile char space[16384];
  for (volatile char& c : space) c = 0;
}

[[gnu::noinline]] void Lose() {
  void** lost = static_cast<void**>(Make(kLost));
  *lost = Make(kChild);
}

// Frees what it holds when the program's own destructors run: after the library's,
// for it is linked in later. See the test.
struct Late {
  void* block;
  ~Late() { free(block); }
} late;

void* Run(void*) {
  void* volatile mine = Make(kThread);
  ++ready;
  for (;;) free(malloc(reinterpret_cast<uintptr_t>(mine) % 64 + 1));
}

void* Block(void*) {
  void* volatile mine = Make(kThread);
  ++ready;
  for (;;) pause();
  return mine;
}

void* Spin(void*) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  void* volatile mine = Make(kThread);
  void* in_register = Make(kRegister);
  // Nowhere in memory but in r12 from here on. The counter is an alibi.
  asm volatile(
      "mov %0, %%r12\n\t"
      "xor %0, %0\n\t"
      "lock incl %1\n\t"
      "1: pause\n\t"
      "jmp 1b"
      : "+r"(in_register), "+m"(*reinterpret_cast<int*>(&ready))
      :
      : "r12", "memory");
  return mine;
}

[[gnu::noinline]] int Overflow(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  if (depth < 0) return 0;  // never
  return Overflow(depth + 1) + frame[0];
}

volatile int* volatile nowhere = nullptr;
volatile int zero = 0;

[[gnu::noinline]] void End(const char* how);

void* EndThere(void* how) {
  End(static_cast<const char*>(how));
  return nullptr;
}

void AtExit() { puts("at exit"); }

std::atomic<int> ticks, told;

void OnTick(int) { ++ticks; }
void OnTold(int) { told = 1; }

// Counts what a timer of 1 kHz sends, working all the while.
[[gnu::noinline]] void CountTicks() {
  struct sigaction action = {};
  action.sa_handler = OnTick;
  sigaction(SIGALRM, &action, nullptr);
  itimerval every{{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &every, nullptr);
  while (ticks < 300) free(malloc(100));
  every = {};
  setitimer(ITIMER_REAL, &every, nullptr);
  puts("300 ticks");
}

// Until SIGUSR1 comes.
[[gnu::noinline]] void AwaitWord() {
  struct sigaction action = {};
  action.sa_handler = OnTold;
  sigaction(SIGUSR1, &action, nullptr);
  puts("waiting");
  fflush(stdout);
  while (told == 0) usleep(1000);
}

void* Brief(void*) {
  free(malloc(10));
  return nullptr;
}

// Threads are born and end, until something ends all.
[[noreturn]] void MakeThreads() {
  printf("pid %d\n", getpid());
  fflush(stdout);
  for (;;) {
    pthread_t ids[8];
    for (pthread_t& id : ids) pthread_create(&id, nullptr, Brief, nullptr);
    for (pthread_t id : ids) pthread_join(id, nullptr);
  }
}

// A forked child: a block of its own hangs on one that it has inherited.
[[noreturn]] void Child(const char* how) {
  *inherited = Make(kOwn);
  Lose();
  Wipe();
  if (strcmp(how, "fork_exit") == 0) exit(21);
  _exit(22);
}

[[gnu::noinline]] void End(const char* how) {
  const auto is = [how](const char* mode) { return strcmp(how, mode) == 0; };
  void* volatile held = Make(kHeld);
  if (is("exit")) exit(11);
  if (is("_exit")) _exit(12);
  if (is("_Exit")) _Exit(13);
  if (is("quick_exit")) quick_exit(14);
  if (is("raw_exit")) syscall(SYS_exit_group, 15);
  if (is("abort")) abort();
  if (is("assert")) assert(nowhere != nullptr);
  if (is("throw")) throw std::runtime_error("nobody catches this");
  if (is("segv")) *nowhere = 1;
  if (is("fpe")) zero = 7 / zero;
  if (is("term")) kill(getpid(), SIGTERM);
  if (is("kill")) kill(getpid(), SIGKILL);
  if (is("overflow")) Overflow(0);
  if (is("fork_exit") || is("fork__exit")) {
    inherited = static_cast<void**>(Make(kInherited));
    const pid_t child = fork();
    if (child == 0) Child(how);
    int status = 0;
    waitpid(child, &status, 0);
    printf("child %d\n", status);
    fflush(stdout);
    _exit(16);
  }
  if (is("wait")) {
    AwaitWord();
    exit(18);
  }
  if (is("wait_exit")) {
    AwaitWord();
    exit(11);
  }
  if (is("wait_segv")) {
    AwaitWord();
    *nowhere = 1;
  }
  if (is("timer")) CountTicks();
  if (is("traceme")) {
    printf("traceme %ld\n", ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
    exit(17);
  }
  free(held);
}

void* Outlive(void*) {
  usleep(50'000);  // the main thread has ended by then
  puts("the last thread");
  return nullptr;
}

// Its frame is main's own work: what it holds hangs on nothing else.
[[gnu::noinline]] int Main(const char* how, const char* threads) {
  late.block = Make(kLate);
  global = Make(kGlobal);
  void* volatile mine = Make(kMain);
  Lose();
  Wipe();
  pthread_t id;
  void* (*other)(void*) = strcmp(threads, "running") == 0    ? Run
                          : strcmp(threads, "blocked") == 0  ? Block
                          : strcmp(threads, "spinning") == 0 ? Spin
                                                             : nullptr;
  if (other != nullptr) {
    if (pthread_create(&id, nullptr, other, nullptr) != 0) return 3;
    while (ready.load() == 0) usleep(100);
  }
  if (strcmp(how, "in_thread") == 0) {
    char exit_there[] = "exit";
    if (pthread_create(&id, nullptr, EndThere, exit_there) != 0) return 3;
    pthread_join(id, nullptr);
  }
  if (strcmp(how, "pthread_exit") == 0) {
    if (pthread_create(&id, nullptr, Outlive, nullptr) != 0) return 3;
    pthread_exit(nullptr);
  }
  Wipe();
  End(how);
  return mine != nullptr ? 10 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  // No core files: they take seconds and space.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  atexit(AtExit);
  if (strcmp(argv[1], "threads") == 0) MakeThreads();
  puts(argv[1]);
  fflush(stdout);
  // Copies in all of this frame, which exit()'s own will lie over once it has
  // returned, with gaps that show what was there.
  void* volatile copies[256];
  void* block = Make(kDead);
  for (void* volatile& copy : copies) copy = block;
  block = nullptr;
  return Main(argv[1], argc > 2 ? argv[2] : "none");
}
