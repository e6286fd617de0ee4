// Definite: the only pointer goes out of scope, is overwritten, or is forgotten on
// one of two ways.
#include "tests/leak_corpus/programs/leak.h"

void* overwritten;

NOINLINE static void OutOfScope(void) {
  char* p = malloc(24);  // LEAK definite 1 block 24 bytes
  Fill(p, 24);
}

NOINLINE static void Overwrite(void) {
  for (int i = 0; i < 5; i++) {
    // The last one stays.
    overwritten = malloc(100);  // LEAK definite 4 blocks 400 bytes, reachable 1 block 100 bytes
  }
}

NOINLINE static void Sometimes(int n) {
  char* p = malloc(48);  // LEAK definite 3 blocks 144 bytes
  Fill(p, 48);
  if (n % 2 == 0) free(p);
}

NOINLINE static void Freed(void) {
  char* p = malloc(64);  // LEAK none
  Use(p);
  free(p);
}

int main(void) {
  OutOfScope();
  Overwrite();
  for (int i = 0; i < 6; i++) Sometimes(i);
  Freed();
  return 0;
}
