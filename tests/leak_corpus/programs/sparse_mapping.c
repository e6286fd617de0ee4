// Trap 5: 4 GiB of address space of which one page in the middle was ever touched.
#include <sys/mman.h>

#include "tests/leak_corpus/programs/leak.h"

int main(void) {
  size_t size = (size_t)4 << 30;
  char* space = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return 1;
  *(void**)(space + size / 2) = malloc(99);  // LEAK reachable 1 block 99 bytes
  Use(malloc(100));                          // LEAK definite 1 block 100 bytes
  ScrubStack();
  return 0;
}
