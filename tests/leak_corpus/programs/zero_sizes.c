// Trap 8: blocks of no bytes are blocks; realloc to nothing frees.
#include "tests/leak_corpus/programs/leak.h"

void* kept;

NOINLINE static void Lose(void) {
  Use(malloc(0));     // LEAK definite 1 block 0 bytes
  Use(calloc(0, 8));  // LEAK definite 1 block 0 bytes
}

NOINLINE static void* Nothing(size_t size) {
  return realloc(NULL, size);  // LEAK definite 1 block 0 bytes
}

NOINLINE static void Shrink(size_t size) {
  char* p = malloc(100);  // LEAK none
  Use(p);
  p = realloc(p, size);
  if (p != NULL) free(p);
}

int main(void) {
  Lose();
  Use(Nothing(0));
  kept = malloc(0);  // LEAK reachable 1 block 0 bytes
  Shrink(0);
  free(NULL);
  ScrubStack();
  return 0;
}
