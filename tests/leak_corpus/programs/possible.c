// Possible: only pointers into the middle lead there, and no idiom explains them.
// One past the end is outside.
#include "tests/leak_corpus/programs/leak.h"

void* pointers[16];

int main(void) {
  char* p = Fill(malloc(64), 64);  // LEAK possible 1 block 64 bytes
  pointers[0] = p + 1;
  p = Fill(malloc(72), 72);  // LEAK possible 1 block 72 bytes
  pointers[1] = p + 8;
  p = Fill(malloc(80), 80);  // LEAK possible 1 block 80 bytes
  pointers[2] = p + 16;
  p = Fill(malloc(88), 88);  // LEAK possible 1 block 88 bytes
  pointers[3] = p + 24;
  p = Fill(malloc(96), 96);  // LEAK possible 1 block 96 bytes
  pointers[4] = p + 48;
  p = Fill(malloc(104), 104);  // LEAK possible 1 block 104 bytes
  pointers[5] = p + 103;
  p = Fill(malloc(1 << 20), 1 << 20);  // LEAK possible 1 block 1048576 bytes
  pointers[6] = p + 777777;
  p = Fill(malloc(112), 112);  // LEAK definite 1 block 112 bytes
  pointers[7] = p + 112;
  p = Fill(malloc(120), 120);  // LEAK definite 1 block 120 bytes
  pointers[8] = p - 8;
  p = Fill(malloc(128), 128);  // LEAK reachable 1 block 128 bytes
  pointers[9] = p + 8;
  pointers[10] = p;
  p = NULL;
  ScrubStack();
  return 0;
}
