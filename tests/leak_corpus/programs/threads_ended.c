// What threads leave behind when they end: lost, be they joined, detached, left by
// pthread_exit or cancelled; the C library keeps their stacks for the next thread,
// but what lies there is dead. What a key's destructor frees is no leak.
#include "tests/leak_corpus/programs/threads.h"

pthread_key_t freed_key;
void* kept[4];
sem_t done;

static void* Joined(void* unused) {
  Use(unused);
  void* pointers[20];
  for (int i = 0; i < 20; i++) pointers[i] = malloc(16);  // LEAK definite 20 blocks 320 bytes
  Use(pointers);
  kept[0] = malloc(50);  // LEAK reachable 1 block 50 bytes
  return NULL;
}

static void* Detached(void* unused) {
  Use(unused);
  void* pointer = malloc(51);  // LEAK definite 1 block 51 bytes
  Use(&pointer);
  sem_post(&done);
  return NULL;
}

NOINLINE static void Leave(void) {
  void* pointer = malloc(52);  // LEAK definite 1 block 52 bytes
  Use(&pointer);
  pthread_exit(NULL);  // LEAK optional
}
static void* Exited(void* unused) {
  Use(unused);
  void* pointer = malloc(53);  // LEAK definite 1 block 53 bytes
  Use(&pointer);
  Leave();
  return pointer;
}

static void* Cancelled(void* unused) {
  Use(unused);
  void* pointer = malloc(54);  // LEAK definite 1 block 54 bytes
  Use(&pointer);
  sem_post(&done);
  for (;;) pause();
  return pointer;
}

static void* WithKey(void* unused) {
  Use(unused);
  pthread_setspecific(freed_key, malloc(55));  // LEAK none
  return NULL;
}

NOINLINE static void* Returned(void* unused) {
  Use(unused);
  return malloc(56);  // LEAK reachable 1 block 56 bytes
}

int main(void) {
  pthread_t thread;
  if (sem_init(&done, 0, 0) != 0 || pthread_key_create(&freed_key, free) != 0 ||
      pthread_create(&thread, NULL, Joined, NULL) != 0 ||
      pthread_join(thread, NULL) != 0 ||
      pthread_create(&thread, NULL, Exited, NULL) != 0 ||
      pthread_join(thread, NULL) != 0 ||
      pthread_create(&thread, NULL, WithKey, NULL) != 0 ||
      pthread_join(thread, NULL) != 0 ||
      pthread_create(&thread, NULL, Returned, NULL) != 0 ||
      pthread_join(thread, &kept[1]) != 0 ||
      pthread_create(&thread, NULL, Cancelled, NULL) != 0) {
    return 1;
  }
  while (sem_wait(&done) != 0) {
  }
  if (pthread_cancel(thread) != 0 || pthread_join(thread, NULL) != 0 ||
      pthread_create(&thread, NULL, Detached, NULL) != 0 ||
      pthread_detach(thread) != 0) {
    return 1;
  }
  while (sem_wait(&done) != 0) {
  }
  usleep(20000);
  ScrubStack();
  return 0;
}
