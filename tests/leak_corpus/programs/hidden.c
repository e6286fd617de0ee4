// Definite: the pointer exists only in forms that no scan can know: in a pipe, in a
// file, complemented, scrambled, cut in two. An XOR-linked list: both ends are
// plain pointers to their neighbours.
#include <stdio.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

uintptr_t complement, scrambled;
uint32_t halves[4];
int ends[2];

struct Node {
  uintptr_t link;  // previous ^ next
  long value;
};
struct Node* head;

NOINLINE static void Pipe(void) {
  char* p = Fill(malloc(21), 21);  // LEAK definite 1 block 21 bytes
  if (pipe(ends) != 0 || write(ends[1], &p, sizeof p) != sizeof p) abort();
}

NOINLINE static void File(void) {
  char* p = Fill(malloc(22), 22);  // LEAK definite 1 block 22 bytes
  FILE* file = tmpfile();
  if (file == NULL || fwrite(&p, sizeof p, 1, file) != 1 || fflush(file) != 0)
    abort();
  fclose(file);
}

NOINLINE static void Coded(void) {
  complement = ~(uintptr_t)Fill(malloc(23), 23);                     // LEAK definite 1 block 23 bytes
  scrambled = (uintptr_t)Fill(malloc(24), 24) ^ 0x5555555555555555;  // LEAK definite 1 block 24 bytes
  uintptr_t p = (uintptr_t)Fill(malloc(25), 25);                     // LEAK definite 1 block 25 bytes
  halves[0] = (uint32_t)p;
  halves[1] = halves[2] = 0x5A5A5A5A;
  halves[3] = (uint32_t)(p >> 32);
}

// Six nodes. The head's link is the second's address, so these two are reached. The
// last one's is the fifth's: it is the head of what is lost, but nobody knows of 3
// and 4.
NOINLINE static void XorList(void) {
  struct Node* nodes[6];
  for (int i = 0; i < 6; i++) {
    nodes[i] = calloc(1, sizeof *nodes[i]);  // LEAK reachable 2 blocks 32 bytes, definite 3 blocks 48 bytes, indirect 1 block 16 bytes
  }
  for (int i = 0; i < 6; i++) {
    nodes[i]->link = (i > 0 ? (uintptr_t)nodes[i - 1] : 0) ^
                     (i < 5 ? (uintptr_t)nodes[i + 1] : 0);
  }
  head = nodes[0];
}

int main(void) {
  Pipe();
  File();
  Coded();
  XorList();
  ScrubStack();
  return 0;
}
