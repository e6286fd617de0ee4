// Trap 6: a pointer on a page that nobody may read any more. Whether it counts is a
// matter of taste; that the scan gets past it is not.
#include <sys/mman.h>

#include "tests/leak_corpus/programs/leak.h"

void* global;

int main(void) {
  void** pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return 1;
  pages[10] = malloc(94);    // LEAK reachable 1 block 94 bytes
  pages[600] = malloc(95);   // LEAK definite or reachable 1 block 95 bytes
  pages[1200] = malloc(96);  // LEAK reachable 1 block 96 bytes
  global = malloc(97);       // LEAK reachable 1 block 97 bytes
  Use(malloc(98));           // LEAK definite 1 block 98 bytes
  if (mprotect((char*)pages + 4096, 4096, PROT_NONE) != 0) return 1;
  ScrubStack();
  return 0;
}
