// Trap 10: what handlers of exit and destructors free is no leak, what they lose is
// one.
#include "tests/leak_corpus/programs/leak.h"

void *freed_at_exit, *freed_by_destructor;

static void AtExit(void) {
  free(freed_at_exit);
  freed_at_exit = NULL;
  Use(malloc(81));  // LEAK definite 1 block 81 bytes
}

__attribute__((destructor)) static void Destructor(void) {
  free(freed_by_destructor);
  freed_by_destructor = NULL;
  Use(malloc(82));  // LEAK definite 1 block 82 bytes
}

__attribute__((constructor)) static void Constructor(void) {
  freed_by_destructor = malloc(83);  // LEAK none
  Use(malloc(84));                   // LEAK definite 1 block 84 bytes
}

int main(void) {
  if (atexit(AtExit) != 0) return 1;
  freed_at_exit = malloc(85);  // LEAK none
  Use(malloc(86));             // LEAK definite 1 block 86 bytes
  ScrubStack();
  return 0;
}
