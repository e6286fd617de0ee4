// Frames that longjmp leaves out take their pointers along: lost.
#include <setjmp.h>

#include "tests/leak_corpus/programs/leak.h"

jmp_buf back;

NOINLINE static void Inner(void) {
  void* inner = malloc(36);  // LEAK definite 3 blocks 108 bytes
  Use(&inner);
  longjmp(back, 1);
}

NOINLINE static void Outer(void) {
  void* outer = malloc(37);  // LEAK definite 3 blocks 111 bytes
  Use(&outer);
  Inner();
  free(outer);
}

int main(void) {
  for (volatile int i = 0; i < 3; i++) {
    if (setjmp(back) == 0) Outer();
  }
  ScrubStack();
  return 0;
}
