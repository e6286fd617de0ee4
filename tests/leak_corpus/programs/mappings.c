// Reachable from memory that the program mapped itself: private, shared, of a file,
// and from an arena of its own in it. What only an unmapped page held is lost.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void** Map(size_t size, int flags, int file) {
  void* p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);
  if (p == MAP_FAILED) abort();
  return p;
}

NOINLINE static void Fillings(void) {
  void** page = Map(4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  page[511] = malloc(81);  // LEAK reachable 1 block 81 bytes
  page = Map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  page[100000] = malloc(82);  // LEAK reachable 1 block 82 bytes
  page = Map(8192, MAP_SHARED | MAP_ANONYMOUS, -1);
  page[1000] = malloc(83);  // LEAK reachable 1 block 83 bytes
  int file = memfd_create("corpus", 0);
  if (file < 0 || ftruncate(file, 8192) != 0) abort();
  page = Map(8192, MAP_SHARED, file);
  page[1] = malloc(84);  // LEAK reachable 1 block 84 bytes
  page = Map(8192, MAP_PRIVATE, file);
  page[2] = malloc(85);  // LEAK reachable 1 block 85 bytes
  page = Map(8192, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  page[3] = malloc(86);  // LEAK definite 1 block 86 bytes
  munmap(page, 8192);
  page = Map(8192, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  page[4] = malloc(87);  // LEAK definite 1 block 87 bytes
  madvise(page, 8192, MADV_DONTNEED);
}

// A list of nodes in an arena of the program's, that point to blocks.
NOINLINE static void Arena(void) {
  struct Node {
    struct Node* next;
    void* data;
  }* nodes = (struct Node*)Map(65536, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (int i = 0; i < 1000; i++) {
    nodes[i].next = i < 999 ? &nodes[i + 1] : NULL;
    nodes[i].data = malloc(88);  // LEAK reachable 1000 blocks 88000 bytes
  }
}

int main(void) {
  Fillings();
  Arena();
  ScrubStack();
  return 0;
}
