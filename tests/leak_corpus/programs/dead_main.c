// Trap 2: pointers in main's own variables, when main has returned: lost. Standard
// output is flushed on the way out, over main's dead frame.
#include <stdio.h>

#include "tests/leak_corpus/programs/leak.h"

int main(void) {
  void* pointers[500];
  for (int i = 0; i < 500; i++) {
    pointers[i] = malloc(24);  // LEAK definite 500 blocks 12000 bytes
  }
  Use(pointers);
  printf("done\n");
  return 0;
}
