// Trap 9: the child of a fork leaks what it lost itself; what it got from its
// parent is the parent's affair, here lost before the fork and freed after it.
//
// PROCESSES parent child
#include <sys/wait.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

void *global, *childs;

NOINLINE static void Before(void) {
  Use(malloc(51));      // LEAK definite 1 block 51 bytes
  global = malloc(52);  // LEAK none
}

NOINLINE static void Child(void) {
  global = NULL;
  Use(malloc(53));      // LEAK in child definite 1 block 53 bytes
  childs = malloc(54);  // LEAK in child reachable 1 block 54 bytes
  void** list = NULL;
  for (int i = 0; i < 3; i++) {
    void** node = malloc(55);  // LEAK in child definite 1 block 55 bytes, indirect 2 blocks 110 bytes
    *node = list;
    list = node;
  }
}

int main(void) {
  Before();
  pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    Child();
    ScrubStack();
    return 0;
  }
  int status = 1;
  waitpid(child, &status, 0);
  free(global);
  global = NULL;
  Use(malloc(56));  // LEAK definite 1 block 56 bytes
  ScrubStack();
  return status;
}
