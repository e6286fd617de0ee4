// Lost blocks in all orders: a chain whose tail was allocated first and one whose
// head was, a child of two heads, and a child that only an interior pointer of a
// lost block leads to.
#include "tests/leak_corpus/programs/leak.h"

NOINLINE static void TailFirst(void) {
  void** tail = calloc(1, 16);    // LEAK indirect 1 block 16 bytes
  void** middle = calloc(1, 16);  // LEAK indirect 1 block 16 bytes
  void** head = calloc(1, 16);    // LEAK definite 1 block 16 bytes
  *head = middle;
  *middle = tail;
  Use(head);
}

NOINLINE static void HeadFirst(void) {
  void** head = calloc(1, 16);    // LEAK definite 1 block 16 bytes
  void** middle = calloc(1, 16);  // LEAK indirect 1 block 16 bytes
  void** tail = calloc(1, 16);    // LEAK indirect 1 block 16 bytes
  *head = middle;
  *middle = tail;
  Use(head);
}

NOINLINE static void TwoHeads(void) {
  void** one = calloc(1, 32);    // LEAK definite 1 block 32 bytes
  void** child = calloc(1, 48);  // LEAK indirect 1 block 48 bytes
  void** two = calloc(1, 64);    // LEAK definite 1 block 64 bytes
  *one = child;
  *two = child;
  Use(one);
}

NOINLINE static void Diamond(void) {
  void** bottom = calloc(1, 24);  // LEAK indirect 1 block 24 bytes
  void** left = calloc(1, 24);    // LEAK indirect 1 block 24 bytes
  void** top = calloc(2, 24);     // LEAK definite 1 block 48 bytes
  void** right = calloc(1, 24);   // LEAK indirect 1 block 24 bytes
  top[0] = left;
  top[5] = right;
  *left = *right = bottom;
  Use(top);
}

NOINLINE static void Interior(void) {
  char** head = calloc(1, 16);         // LEAK definite 1 block 16 bytes
  char* child = Fill(malloc(40), 40);  // LEAK indirect 1 block 40 bytes
  *head = child + 20;
  Use(head);
}

// The last word of a block counts, the bytes after it don't.
NOINLINE static void LastWord(void) {
  char* head = calloc(1, 40);        // LEAK definite 1 block 40 bytes
  char* child = Fill(malloc(8), 8);  // LEAK indirect 1 block 8 bytes
  memcpy(head + 32, &child, sizeof child);
  Use(head);
}

int main(void) {
  TailFirst();
  HeadFirst();
  TwoHeads();
  Diamond();
  Interior();
  LastWord();
  ScrubStack();
  return 0;
}
