// A million blocks lost at one site.
#include "tests/leak_corpus/programs/leak.h"

int main(void) {
  for (int i = 0; i < 1000000; i++) {
    void* p = malloc(16);  // LEAK definite 1000000 blocks 16000000 bytes
    Use(p);
  }
  ScrubStack();
  return 0;
}
