// Trap 11: death without exit. What was lost before is lost, what the living frames
// and the globals hold is reachable.
//
// RUN abort: signal 6
// RUN segv: signal 11
// RUN bus: signal 7
// RUN fpe: signal 8
// RUN ill: signal 4
// RUN term: signal 15
// RUN overflow: signal 11
// RUN _exit: exit 3
// RUN quick_exit: exit 4
// RUN exit: exit 5
#include <signal.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

void* global;
volatile int zero;

NOINLINE static void Lose(void) {
  void** head = calloc(1, 40);  // LEAK definite 1 block 40 bytes
  head[2] = malloc(41);         // LEAK indirect 1 block 41 bytes
  Use(head);
}

NOINLINE static int Overflow(int depth) {
  volatile char frame[1000];
  frame[depth % 1000] = 1;
  if (depth < 0) return 0;
  return Overflow(depth + 1) + frame[0];
}

NOINLINE static void End(const char* how) {
  void* mine = malloc(42);  // LEAK reachable 1 block 42 bytes
  Use(&mine);
  ScrubStack();
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "segv") == 0) *(volatile int*)(uintptr_t)(zero + 8) = 1;
  if (strcmp(how, "bus") == 0) raise(SIGBUS);
  if (strcmp(how, "fpe") == 0) zero = 7 / zero;
  if (strcmp(how, "ill") == 0) __builtin_trap();
  if (strcmp(how, "term") == 0) kill(getpid(), SIGTERM);
  if (strcmp(how, "overflow") == 0) Overflow(0);
  if (strcmp(how, "_exit") == 0) _exit(3);
  if (strcmp(how, "quick_exit") == 0) quick_exit(4);
  if (strcmp(how, "exit") == 0) exit(5);
  Use(&mine);
}

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  global = malloc(43);  // LEAK reachable 1 block 43 bytes
  Lose();
  ScrubStack();
  End(argv[1]);
  return 1;
}
