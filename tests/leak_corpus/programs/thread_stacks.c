// Reachable from the stacks of other threads: one blocked in the kernel, one with
// all signals blocked (trap 7), one that spins. What their dead frames held is
// lost.
#include "tests/leak_corpus/programs/threads.h"

NOINLINE static void Dead(void) {
  void* pointers[50];
  for (int i = 0; i < 50; i++) {
    pointers[i] = malloc(16);  // LEAK definite 150 blocks 2400 bytes
    Use(pointers);
  }
}

static void* Blocked(void* unused) {
  Use(unused);
  void* pointer = malloc(21);  // LEAK reachable 1 block 21 bytes
  Use(&pointer);
  Dead();
  Stay();
  Use(&pointer);
  return NULL;
}

static void* Deaf(void* unused) {
  Use(unused);
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  void* pointer = malloc(22);  // LEAK reachable 1 block 22 bytes
  Use(&pointer);
  Dead();
  Stay();
  Use(&pointer);
  return NULL;
}

volatile int spinning, spins;

static void* Spinning(void* unused) {
  Use(unused);
  void* pointer = malloc(23);  // LEAK reachable 1 block 23 bytes
  Use(&pointer);
  Dead();
  ScrubStack();
  sem_post(&ready);
  spinning = 1;
  while (spinning) spins++;
  Use(&pointer);
  return NULL;
}

int main(void) {
  StartAndWait(Blocked, NULL);
  StartAndWait(Deaf, NULL);
  StartAndWait(Spinning, NULL);
  while (!spinning || spins < 1000) {
  }
  return 0;
}
