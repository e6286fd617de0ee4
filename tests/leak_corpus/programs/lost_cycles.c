// Lost cycles: each has one definite head, even if every block in it is pointed to.
// A ring of five, one block that points to itself, a doubly linked list, and two
// rings that share a tail.
#include "tests/leak_corpus/programs/leak.h"

struct Node {
  struct Node *next, *other;
  long value;
};

NOINLINE static struct Node* RingNode(void) {
  return calloc(1, sizeof(struct Node));  // LEAK definite 1 block 24 bytes, indirect 4 blocks 96 bytes
}
NOINLINE static void Ring(void) {
  struct Node* first = RingNode();
  struct Node* last = first;
  for (int i = 1; i < 5; i++) last = last->next = RingNode();
  last->next = first;
  Use(first);
}

NOINLINE static void Self(void) {
  struct Node* self = calloc(1, sizeof *self);  // LEAK definite 1 block 24 bytes
  self->next = self;
  Use(self);
}

NOINLINE static struct Node* DoubleNode(void) {
  return calloc(1, sizeof(struct Node));  // LEAK definite 1 block 24 bytes, indirect 5 blocks 120 bytes
}
NOINLINE static void Doubly(void) {
  struct Node* last = DoubleNode();
  for (int i = 1; i < 6; i++) {
    struct Node* node = DoubleNode();
    last->next = node;
    node->other = last;
    last = node;
  }
  Use(last);
}

NOINLINE static struct Node* TwinNode(void) {
  return calloc(1, sizeof(struct Node));  // LEAK definite 2 blocks 48 bytes, indirect 4 blocks 96 bytes
}
NOINLINE static struct Node* TailNode(void) {
  return calloc(1, sizeof(struct Node));  // LEAK indirect 4 blocks 96 bytes
}
NOINLINE static void SharedTail(void) {
  struct Node* tail = NULL;
  for (int i = 0; i < 4; i++) {
    struct Node* node = TailNode();
    node->next = tail;
    tail = node;
  }
  for (int ring = 0; ring < 2; ring++) {
    struct Node* a = TwinNode();
    struct Node* b = TwinNode();
    struct Node* c = TwinNode();
    a->next = b;
    b->next = c;
    c->next = a;
    b->other = tail;
    Use(a);
  }
}

int main(void) {
  Ring();
  Self();
  Doubly();
  SharedTail();
  ScrubStack();
  return 0;
}
