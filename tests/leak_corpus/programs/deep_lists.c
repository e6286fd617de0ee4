// Lists so long that nothing that recurses gets through: a million nodes reachable,
// a hundred thousand lost, in one ring.
#include "tests/leak_corpus/programs/leak.h"

struct Node {
  struct Node* next;
  long value;
} * list;

NOINLINE static void Ring(void) {
  struct Node* last = NULL;
  struct Node* first = NULL;
  for (int i = 0; i < 100000; i++) {
    struct Node* node = malloc(sizeof *node);  // LEAK definite 1 block 16 bytes, indirect 99999 blocks 1599984 bytes
    node->next = last;
    node->value = i;
    last = node;
    if (first == NULL) first = node;
  }
  first->next = last;
}

int main(void) {
  for (int i = 0; i < 1000000; i++) {
    struct Node* node = malloc(sizeof *node);  // LEAK reachable 1000000 blocks 16000000 bytes
    node->next = list;
    node->value = i;
    list = node;
  }
  Ring();
  ScrubStack();
  return 0;
}
