// Eight threads lose and keep blocks at the same sites, all at once.
#include "tests/leak_corpus/programs/threads.h"

void* kept[8][100];

static void* Work(void* argument) {
  void** mine = argument;
  for (int i = 0; i < 1000; i++) {
    char* p = malloc(32);  // LEAK definite 8000 blocks 256000 bytes
    Use(p);
    p = malloc(64);  // LEAK none
    Use(p);
    free(p);
  }
  for (int i = 0; i < 100; i++) mine[i] = malloc(80);  // LEAK reachable 800 blocks 64000 bytes
  return NULL;
}

int main(void) {
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) {
    if (pthread_create(&threads[i], NULL, Work, kept[i]) != 0) return 1;
  }
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  return 0;
}
