// A lost binary tree: its root definite, all below indirect; names in its nodes
// too.
#include "tests/leak_corpus/programs/leak.h"

struct Node {
  struct Node *left, *right;
  char* name;
};

NOINLINE static struct Node* Grow(int depth) {
  if (depth == 0) return NULL;
  struct Node* node = malloc(sizeof *node);  // LEAK definite 1 block 24 bytes, indirect 14 blocks 336 bytes
  node->left = Grow(depth - 1);
  node->right = Grow(depth - 1);
  node->name = strdup("node");  // LEAK indirect 15 blocks 75 bytes
  return node;
}

NOINLINE static void Lose(void) { Use(Grow(4)); }

int main(void) {
  Lose();
  ScrubStack();
  return 0;
}
