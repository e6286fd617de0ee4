// Trap 9: a daemon, two forks away. Every process has leaks of its own.
//
// PROCESSES parent middle daemon
#include <sys/wait.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

int main(void) {
  Use(malloc(61));  // LEAK definite 1 block 61 bytes
  int ends[2];
  if (pipe(ends) != 0) return 1;
  pid_t middle = fork();
  if (middle < 0) return 1;
  if (middle == 0) {
    setsid();
    Use(malloc(62));  // LEAK in middle definite 1 block 62 bytes
    pid_t child = fork();
    if (child < 0) return 1;
    if (child != 0) _exit(0);
    Use(malloc(63));  // LEAK in daemon definite 1 block 63 bytes
    ScrubStack();
    return 0;
  }
  int status = 1;
  waitpid(middle, &status, 0);
  // The daemon holds the writing end until it is gone.
  close(ends[1]);
  char byte;
  if (read(ends[0], &byte, 1) != 0) return 1;
  ScrubStack();
  return status;
}
