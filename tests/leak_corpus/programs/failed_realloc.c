// Definite: p = realloc(p, too much) loses p.
#include <stdio.h>

#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void Grow(size_t size) {
  char* p = malloc(40);  // LEAK definite 1 block 40 bytes
  Fill(p, 40);
  p = realloc(p, size);
  if (p != NULL) free(p);
}

int main(int argc, char** argv) {
  Grow(SIZE_MAX / 2 - (size_t)argc);
  return 0;
}
