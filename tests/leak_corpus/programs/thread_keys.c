// Reachable from the values of pthread keys: the first 32 lie in the thread's own
// block, later ones in a table that the C library allocates.
#include "tests/leak_corpus/programs/threads.h"

pthread_key_t keys[100];

NOINLINE static void* Early(void) {
  return malloc(41);  // LEAK reachable 2 blocks 82 bytes
}
NOINLINE static void* Late(void) {
  return malloc(42);  // LEAK reachable 2 blocks 84 bytes
}
NOINLINE static void* Latest(void) {
  return malloc(43);  // LEAK reachable 2 blocks 86 bytes
}
NOINLINE static void* Dropped(void) {
  return malloc(44);  // LEAK definite 2 blocks 88 bytes
}

NOINLINE static void Set(void) {
  pthread_setspecific(keys[3], Early());
  pthread_setspecific(keys[40], Late());     // LEAK optional
  pthread_setspecific(keys[99], Latest());   // LEAK optional
  pthread_setspecific(keys[50], Dropped());  // LEAK optional
  pthread_setspecific(keys[50], NULL);
}

static void* Other(void* unused) {
  Use(unused);
  Set();
  Stay();
  return NULL;
}

int main(void) {
  for (int i = 0; i < 100; i++) {
    if (pthread_key_create(&keys[i], NULL) != 0) return 1;
  }
  Set();
  StartAndWait(Other, NULL);
  ScrubStack();
  return 0;
}
