// The second plug-in of plugins.c, unloaded after its work; its global goes with
// it.
#include "tests/leak_corpus/programs/leak.h"

void Work(void);

void* plugin_global;

NOINLINE static void LoseMore(void) {
  Use(malloc(95));  // LEAK definite 1 block 95 bytes
}

void Work(void) {
  Use(malloc(93));             // LEAK definite 1 block 93 bytes
  plugin_global = malloc(94);  // LEAK definite 1 block 94 bytes
  LoseMore();
}
