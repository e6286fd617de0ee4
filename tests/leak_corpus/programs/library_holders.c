// Reachable through the C library: the environment, a stream that was never closed
// and its buffer. A directory stream that nobody closed is lost.
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>

#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void Environment(void) {
  char* setting = strdup("CORPUS=yes");  // LEAK reachable 1 block 11 bytes
  putenv(setting);                       // LEAK optional
  setting = NULL;
}

NOINLINE static void Stream(void) {
  FILE* file = fopen("/dev/null", "w");       // LEAK reachable 1 block
  setvbuf(file, malloc(4096), _IOFBF, 4096);  // LEAK definite or reachable 1 block 4096 bytes
  fputs("text", file);
}

NOINLINE static void Directory(void) {
  DIR* directory = opendir("/");  // LEAK definite 1 block
  Use(directory);
}

int main(void) {
  Environment();
  Stream();
  Directory();
  ScrubStack();
  return 0;
}
