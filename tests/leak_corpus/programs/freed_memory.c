// Pointers that only freed blocks still hold: lost. Small, middling and large ones,
// and one that realloc has moved away from.
#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void Inside(size_t size) {
  void** p = malloc(size);  // LEAK none
  for (size_t i = 0; i < size / sizeof *p; i++) p[i] = NULL;
  p[size / sizeof *p / 2] = calloc(1, 40);  // LEAK definite 4 blocks 160 bytes
  Use(p);
  free(p);
}

void** moved;

NOINLINE static void Move(void) {
  moved = calloc(1, 64);            // LEAK none
  Use(calloc(1, 100));              // LEAK definite 1 block 100 bytes
  void* child = calloc(1, 44);      // LEAK definite 1 block 44 bytes
  void* forgotten = calloc(1, 46);  // LEAK definite 1 block 46 bytes
  moved[4] = child;
  moved[5] = forgotten;
  moved = realloc(moved, 8000);  // LEAK reachable 1 block 8000 bytes
  moved[4] = moved[5] = NULL;
}

int main(void) {
  Inside(48);
  Inside(600);
  Inside(5000);
  Inside(100000);
  Move();
  ScrubStack();
  return 0;
}
