// The child of a vfork works in its parent's memory: what it allocates is the
// parent's, and its end is no end of anybody's blocks.
#include <sys/wait.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

void* kept;

NOINLINE static int Start(void) {
  pid_t child = vfork();
  if (child < 0) return 1;
  if (child == 0) {
    execl("/bin/true", "true", (char*)NULL);
    _exit(127);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status;
}

int main(void) {
  kept = malloc(71);  // LEAK reachable 1 block 71 bytes
  Use(malloc(72));    // LEAK definite 1 block 72 bytes
  int status = Start();
  Use(malloc(73));  // LEAK definite 1 block 73 bytes
  ScrubStack();
  return status;
}
