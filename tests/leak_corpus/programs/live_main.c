// When main calls exit, its frame is alive, and so are those of its callers:
// reachable. What returned functions held is lost.
#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void Dead(void) {
  void* pointers[100];
  for (int i = 0; i < 100; i++) {
    pointers[i] = malloc(48);  // LEAK definite 100 blocks 4800 bytes
    Use(pointers);
  }
}

NOINLINE static void Leave(void) {
  void* inner[3];
  for (int i = 0; i < 3; i++) inner[i] = malloc(40);  // LEAK reachable 3 blocks 120 bytes
  Use(inner);
  exit(0);
}

int main(void) {
  void* outer[5];
  for (int i = 0; i < 5; i++) outer[i] = malloc(56);  // LEAK reachable 5 blocks 280 bytes
  Use(outer);
  Dead();
  Leave();
  Use(outer);
}
