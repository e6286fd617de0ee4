// Trap 11: SIGKILL leaves nobody to look: what was not freed is known, its class
// not.
//
// RUN: signal 9
#include <signal.h>

#include "tests/leak_corpus/programs/leak.h"

void* global;

int main(void) {
  global = malloc(43);  // LEAK unclassified 1 block 43 bytes
  Use(malloc(44));      // LEAK unclassified 1 block 44 bytes
  free(malloc(45));     // LEAK none
  raise(SIGKILL);
  return 1;
}
