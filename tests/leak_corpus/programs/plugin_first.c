// The first plug-in of plugins.c, unloaded after its work; its global goes with it.
#include "tests/leak_corpus/programs/leak.h"

void Work(void);

void* plugin_global;

void Work(void) {
  Use(malloc(91));             // LEAK definite 1 block 91 bytes
  plugin_global = malloc(92);  // LEAK definite 1 block 92 bytes
}
