// Definite, out of every function of the C library that makes blocks (trap 8).
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>

#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void Plain(void) {
  Use(malloc(33));         // LEAK definite 1 block 33 bytes
  Use(calloc(3, 11));      // LEAK definite 1 block 33 bytes
  Use(realloc(NULL, 77));  // LEAK definite 1 block 77 bytes
}

NOINLINE static void Grown(void) {
  char* p = malloc(10);  // LEAK none
  Use(p);
  p = realloc(p, 5000);  // LEAK definite 1 block 5000 bytes
  Use(p);
  p = reallocarray(NULL, 4, 25);  // LEAK none
  Use(p);
  p = reallocarray(p, 400, 25);  // LEAK definite 1 block 10000 bytes
  Use(p);
}

NOINLINE static void Aligned(void) {
  void* p = NULL;
  int failed = posix_memalign(&p, 256, 40);  // LEAK definite 1 block 40 bytes
  if (failed) abort();
  Use(p);
  Use(aligned_alloc(64, 128));  // LEAK definite 1 block 128 bytes
  Use(memalign(32, 50));        // LEAK definite 1 block 50 bytes
  Use(valloc(60));              // LEAK definite 1 block 60 bytes
  p = NULL;
}

NOINLINE static void Strings(void) {
  Use(strdup("hello"));      // LEAK definite 1 block 6 bytes
  Use(strndup("hello", 3));  // LEAK definite 1 block 4 bytes
  char* text = NULL;
  int n = asprintf(&text, "%d bottles", 99);  // LEAK definite 1 block
  Use(text + n);
  text = NULL;
}

NOINLINE static void Lines(void) {
  char lines[] = "one\ntwo\n";
  FILE* in = fmemopen(lines, sizeof lines - 1, "r");  // LEAK none
  char* line = NULL;
  size_t size = 0;
  while (getline(&line, &size, in) > 0) {  // LEAK definite 1 block
  }
  fclose(in);
}

int main(void) {
  Plain();
  Grown();
  Aligned();
  Strings();
  Lines();
  ScrubStack();
  return 0;
}
