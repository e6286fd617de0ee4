// A thread other than main's ends the process: what the frames of both hold is
// reachable, since neither function has returned.
#include "tests/leak_corpus/programs/threads.h"

static void* Leave(void* unused) {
  Use(unused);
  void* mine = malloc(61);  // LEAK reachable 1 block 61 bytes
  Use(&mine);
  Use(malloc(62));  // LEAK definite 1 block 62 bytes
  ScrubStack();
  exit(0);
  Use(&mine);
}

int main(void) {
  void* mains = malloc(63);  // LEAK reachable 1 block 63 bytes
  Use(&mains);
  pthread_t thread;
  if (pthread_create(&thread, NULL, Leave, NULL) != 0) return 1;
  pthread_join(thread, NULL);
  Use(&mains);
  return 1;
}
