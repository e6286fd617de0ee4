// Pointers with a tag in their low bits point into the middle: possible. With a tag
// in their high bits they point nowhere.
#include "tests/leak_corpus/programs/leak.h"

uintptr_t low[4], high;

int main(void) {
  low[0] = (uintptr_t)Fill(malloc(31), 31) | 1;                 // LEAK possible 1 block 31 bytes
  low[1] = (uintptr_t)Fill(malloc(32), 32) | 7;                 // LEAK possible 1 block 32 bytes
  high = (uintptr_t)Fill(malloc(33), 33) | (uintptr_t)1 << 63;  // LEAK definite 1 block 33 bytes
  ScrubStack();
  return 0;
}
