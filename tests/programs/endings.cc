// Every way to end: allocates 1,000 blocks, frees half of them, and goes.
//
//   endings exit|_exit|_Exit|quick_exit|return|pthread_exit|abort|throw|segv|
//           overflow|term|kill|stop
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <stdexcept>

#include "tests/programs/site.h"

namespace {

SITE(SiteEnding);
SITE(SiteQuick);
SITE(SiteThread);

COUNTED void* SiteEnding(size_t n) {
  void* p = Keep(malloc(n));
  SiteEnding_account.Allocated(n);
  return p;
}
COUNTED void* SiteQuick(size_t n) {
  void* p = Keep(malloc(n));
  SiteQuick_account.Allocated(n);
  return p;
}
COUNTED void* SiteThread(size_t n) {
  void* p = Keep(malloc(n));
  SiteThread_account.Allocated(n);
  return p;
}

[[gnu::noinline]] int Overflow(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  if (depth < 0) return 0;  // never
  return Overflow(depth + 1) + frame[0];
}

volatile int* volatile nowhere = nullptr;

void* Outlive(void*) {
  usleep(50'000);  // the main thread has ended by then
  for (int i = 0; i < 100; ++i) SiteThread(9);
  puts("the last thread");
  truth::Write("endings");
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto is = [&](const char* mode) { return strcmp(argv[1], mode) == 0; };
  // No core files: they take seconds and space.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  puts(argv[1]);
  fflush(stdout);
  void* blocks[1000];
  for (void*& p : blocks) p = SiteEnding(50);
  for (int i = 0; i < 1000; i += 2) {
    SiteEnding_account.Freed(50);
    free(blocks[i]);
  }
  if (is("pthread_exit")) {
    pthread_t id;
    if (pthread_create(&id, nullptr, Outlive, nullptr) != 0) return 3;
    pthread_exit(nullptr);
  }
  if (is("quick_exit")) {
    at_quick_exit([] {
      SiteQuick(5);
      truth::Write("endings");
    });
    quick_exit(14);
  }
  truth::Write("endings");
  if (is("exit")) exit(11);
  if (is("_exit")) _exit(12);
  if (is("_Exit")) _Exit(13);
  if (is("abort")) abort();
  if (is("throw")) throw std::runtime_error("nobody catches this");
  if (is("segv")) *nowhere = 1;
  if (is("overflow")) return Overflow(0);
  if (is("term")) raise(SIGTERM);
  if (is("kill")) raise(SIGKILL);
  if (is("stop")) {
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
      // Until the parent is seen to have stopped, then wake it.
      char path[64], stat[256];
      snprintf(path, sizeof(path), "/proc/%d/stat", parent);
      for (;;) {
        FILE* f = fopen(path, "r");
        const bool stopped = f != nullptr &&
                             fgets(stat, sizeof(stat), f) != nullptr &&
                             strstr(stat, ") T ") != nullptr;
        if (f != nullptr) fclose(f);
        if (stopped) break;
        usleep(1000);
      }
      kill(parent, SIGCONT);
      _exit(0);
    }
    raise(SIGSTOP);
    waitpid(child, nullptr, 0);
    puts("continued");
    return 15;
  }
  return is("return") ? 10 : 2;
}
