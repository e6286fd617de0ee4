// malloc maps large blocks one by one; these mappings are blocks and no roots,
// though the kernel shows them as one with a mapping of the program's own beside
// them.
#include <stdio.h>
#include <sys/mman.h>

#include "tests/leak_corpus/programs/leak.h"

enum { kBig = 1 << 20 };
void** kept;

NOINLINE static void Lose(void) {
  for (int i = 0; i < 3; i++) {
    void** big = malloc(kBig);  // LEAK definite 3 blocks 3145728 bytes
    big[50000] = malloc(91);    // LEAK indirect 3 blocks 273 bytes
    // Its neighbour, as the kernel likes to place them.
    void** mine = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mine == MAP_FAILED) abort();
    mine[8191] = malloc(92);  // LEAK reachable 3 blocks 276 bytes
  }
}

int main(void) {
  Lose();
  kept = malloc(kBig);              // LEAK reachable 1 block 1048576 bytes
  kept[kBig / 8 - 1] = malloc(93);  // LEAK reachable 1 block 93 bytes
  ScrubStack();
  return 0;
}
