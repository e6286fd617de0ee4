// A list whose head is lost: the head definite, the rest indirect. Twice: built at
// its head, so that a pointer to each node has been in the same variable, and at
// its tail.
#include "tests/leak_corpus/programs/leak.h"

struct Node {
  struct Node* next;
  long value[3];
};

NOINLINE static struct Node* Push(struct Node* head, long value) {
  struct Node* node = malloc(sizeof *node);  // LEAK definite 1 block 32 bytes, indirect 9 blocks 288 bytes
  node->next = head;
  node->value[0] = value;
  return node;
}

NOINLINE static struct Node* Append(struct Node* tail, long value) {
  struct Node* node = calloc(1, sizeof *node);  // LEAK definite 1 block 32 bytes, indirect 19 blocks 608 bytes
  if (tail != NULL) tail->next = node;
  node->value[0] = value;
  return node;
}

NOINLINE static void Lose(void) {
  struct Node* head = NULL;
  for (int i = 0; i < 10; i++) head = Push(head, i);
  struct Node* tail = NULL;
  for (int i = 0; i < 20; i++) tail = Append(tail, i);
}

int main(void) {
  Lose();
  return 0;
}
