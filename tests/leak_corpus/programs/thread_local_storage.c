// Reachable from static TLS, main's and another thread's; the other's is lost when
// the thread has ended.
#include "tests/leak_corpus/programs/threads.h"

_Thread_local void* pointer;
_Thread_local struct {
  long padding[100];
  void* inside;
} block;

NOINLINE static void* Own(size_t size) {
  return malloc(size);  // LEAK reachable 2 blocks 203 bytes
}
NOINLINE static void* Deep(size_t size) {
  return malloc(size);  // LEAK reachable 2 blocks 303 bytes
}
NOINLINE static void* Gone(size_t size) {
  return malloc(size);  // LEAK definite 2 blocks 100 bytes
}

static void* Staying(void* unused) {
  Use(unused);
  pointer = Own(101);
  block.inside = Deep(151);
  Stay();
  return NULL;
}

static void* Ending(void* unused) {
  Use(unused);
  pointer = Gone(50);
  block.inside = Gone(50);
  Use(&pointer);
  Use(&block);
  return NULL;
}

int main(void) {
  pointer = Own(102);
  block.inside = Deep(152);
  Use(&pointer);
  Use(&block);
  StartAndWait(Staying, NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, Ending, NULL) != 0) return 1;
  pthread_join(thread, NULL);
  ScrubStack();
  return 0;
}
