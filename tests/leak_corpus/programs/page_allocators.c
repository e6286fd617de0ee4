// Trap 8: pvalloc rounds its size up to pages. Memcheck gives up on it.
#include <malloc.h>

#include "tests/leak_corpus/programs/leak.h"

void* kept;

int main(void) {
  Use(pvalloc(70));      // LEAK definite 1 block
  kept = pvalloc(5000);  // LEAK reachable 1 block
  ScrubStack();
  return 0;
}
