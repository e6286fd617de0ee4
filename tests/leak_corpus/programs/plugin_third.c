// The third plug-in of plugins.c, which stays. Its TLS is dynamic.
#include "tests/leak_corpus/programs/leak.h"

void Work(void);
void InThread(void);

void* third_global;
static _Thread_local void* thread_pointer;
static _Thread_local struct {
  char padding[3000];
  void* pointer;
} thread_block;

NOINLINE static void* Local(size_t size) {
  return malloc(size);  // LEAK reachable 4 blocks 404 bytes
}

void InThread(void) {
  thread_pointer = Local(101);        // LEAK optional
  thread_block.pointer = Local(101);  // LEAK optional
  Use(&thread_pointer);
  Use(&thread_block);
}

void Work(void) {
  Use(malloc(96));            // LEAK definite 1 block 96 bytes
  third_global = malloc(97);  // LEAK reachable 1 block 97 bytes
  InThread();
}
