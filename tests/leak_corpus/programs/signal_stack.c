// The process ends in a signal handler that runs on a stack of its own: its frames
// are alive, and so are those that it interrupted.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

static void Handle(int number) {
  Use(&number);
  void* mine = malloc(64);  // LEAK reachable 1 block 64 bytes
  Use(&mine);
  _exit(0);
}

NOINLINE static void Interrupted(void) {
  void* inner = malloc(65);  // LEAK reachable 1 block 65 bytes
  Use(&inner);
  ScrubStack();
  raise(SIGUSR1);
  Use(&inner);
}

NOINLINE static void Lose(void) {
  void* p = malloc(66);  // LEAK definite 1 block 66 bytes
  Use(&p);
}

int main(void) {
  void* outer = malloc(67);  // LEAK reachable 1 block 67 bytes
  Use(&outer);
  stack_t stack = {.ss_size = 65536};
  stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_handler = Handle, .sa_flags = SA_ONSTACK};
  if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0 ||
      sigaction(SIGUSR1, &action, NULL) != 0) {
    return 1;
  }
  Lose();
  Interrupted();
  Use(&outer);
  return 1;
}
