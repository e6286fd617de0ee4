// What hangs on a block that is possibly lost is possibly lost, unless another way
// leads there.
#include "tests/leak_corpus/programs/leak.h"

char* interior;
void** start;

NOINLINE static void Build(void) {
  void** head = Fill(malloc(64), 64);    // LEAK possible 1 block 64 bytes
  void** child = Fill(malloc(32), 32);   // LEAK possible 1 block 32 bytes
  void** grand = Fill(malloc(40), 40);   // LEAK possible 1 block 40 bytes
  void** shared = Fill(malloc(48), 48);  // LEAK reachable 1 block 48 bytes
  void** below = Fill(malloc(56), 56);   // LEAK reachable 1 block 56 bytes
  void** holder = Fill(malloc(72), 72);  // LEAK reachable 1 block 72 bytes
  void** lost = Fill(malloc(80), 80);    // LEAK definite 1 block 80 bytes
  head[0] = child;
  head[1] = shared;
  child[2] = grand;
  shared[0] = below;
  holder[3] = shared;
  lost[0] = head;
  lost[1] = holder;
  interior = (char*)head + 30;
  start = holder;
}

// Reachable, then through an interior pointer: possible, and all below it.
NOINLINE static void* Inner(void) {
  void** first = Fill(malloc(24), 24);  // LEAK reachable 1 block 24 bytes
  char* inner = Fill(malloc(88), 88);   // LEAK possible 1 block 88 bytes
  char* last = Fill(malloc(96), 96);    // LEAK possible 1 block 96 bytes
  first[0] = inner + 40;
  memcpy(inner, &last, sizeof last);
  return first;
}

void* first;

int main(void) {
  Build();
  first = Inner();
  ScrubStack();
  return 0;
}
