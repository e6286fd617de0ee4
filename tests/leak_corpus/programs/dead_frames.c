// Trap 2: pointers only in frames of functions that have returned. The frames of
// exit() lie where these were, and must not keep the blocks alive. No scrubbing
// here.
#include <stdio.h>

#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void Array(void) {
  void* pointers[200];
  for (int i = 0; i < 200; i++) {
    pointers[i] = malloc(16);  // LEAK definite 400 blocks 6400 bytes
    Use(pointers);
  }
}

NOINLINE static void Deep(int depth) {
  void* volatile p = malloc(32);  // LEAK definite 50 blocks 1600 bytes
  if (depth > 1) Deep(depth - 1);
  Use((void*)p);
}

static void AtExit(void) {
  char text[200];
  snprintf(text, sizeof text, "%d %s", 17, "frames on frames");
  Use(text);
}

int main(void) {
  if (atexit(AtExit) != 0) return 1;
  Array();
  Deep(50);
  Array();
  return 0;
}
