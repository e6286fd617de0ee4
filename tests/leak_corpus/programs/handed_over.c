// Allocated in one thread, freed or lost in another.
#include "tests/leak_corpus/programs/threads.h"

struct Box {
  char* freed;
  char* lost;
  char* kept;
};
char* global;

static void* Consume(void* argument) {
  struct Box* box = argument;
  free(box->freed);
  box->lost = NULL;
  global = box->kept;
  free(box);
  return NULL;
}

NOINLINE static void Produce(void) {
  struct Box* box = malloc(sizeof *box);  // LEAK none
  box->freed = malloc(71);                // LEAK none
  box->lost = malloc(72);                 // LEAK definite 1 block 72 bytes
  box->kept = malloc(73);                 // LEAK reachable 1 block 73 bytes
  pthread_t thread;
  if (pthread_create(&thread, NULL, Consume, box) != 0) abort();
  pthread_join(thread, NULL);
}

int main(void) {
  Produce();
  ScrubStack();
  return 0;
}
