// Blocks of other threads come from arenas that are mappings: their free memory and
// what lies between blocks are no roots.
#include "tests/leak_corpus/programs/threads.h"

void* global;

NOINLINE static void Fleeting(void) {
  void** holder = malloc(4000);  // LEAK none
  void* child = malloc(24);      // LEAK definite 1000 blocks 24000 bytes
  for (int i = 0; i < 500; i++) holder[i] = child;
  Use(holder);
  free(holder);
}

NOINLINE static void* Kept(void* next) {
  void** node = calloc(1, 40);  // LEAK reachable 100 blocks 4000 bytes
  *node = next;
  return node;
}

NOINLINE static void* Lost(void* next) {
  void** node = calloc(1, 56);  // LEAK definite 1 block 56 bytes, indirect 99 blocks 5544 bytes
  *node = next;
  return node;
}
NOINLINE static void Lose(void) {
  void* list = NULL;
  for (int i = 0; i < 100; i++) list = Lost(list);
  Use(list);
}

static void* Work(void* unused) {
  Use(unused);
  for (int i = 0; i < 1000; i++) Fleeting();
  for (int i = 0; i < 100; i++) global = Kept(global);
  Lose();
  Stay();
  return NULL;
}

int main(void) {
  StartAndWait(Work, NULL);
  ScrubStack();
  return 0;
}
