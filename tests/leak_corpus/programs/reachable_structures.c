// Reachable through chains: a list, a tree, a ring, a hash table; what they have
// let go of is lost.
#include "tests/leak_corpus/programs/leak.h"

struct Node {
  struct Node *left, *right;
  void* data;
};

struct Node *list, *tree, *ring;
void*** buckets;

NOINLINE static struct Node* Grow(int depth) {
  if (depth == 0) return NULL;
  struct Node* node = calloc(1, sizeof *node);  // LEAK reachable 31 blocks 744 bytes
  node->left = Grow(depth - 1);
  node->right = Grow(depth - 1);
  return node;
}

NOINLINE static void Cut(void) {
  struct Node* previous = NULL;
  for (int i = 0; i < 100; i++) {
    struct Node* node = calloc(1, sizeof *node);  // LEAK reachable 50 blocks 1200 bytes, definite 1 block 24 bytes, indirect 49 blocks 1176 bytes
    node->left = previous;
    previous = node;
  }
  list = previous;
  for (int i = 0; i < 49; i++) previous = previous->left;
  previous->left = NULL;
}

int main(void) {
  Cut();
  tree = Grow(5);
  for (int i = 0; i < 7; i++) {
    struct Node* node = calloc(1, sizeof *node);  // LEAK reachable 7 blocks 168 bytes
    node->left = ring != NULL ? ring->left : node;
    if (ring != NULL) ring->left = node;
    ring = node;
  }
  buckets = calloc(64, sizeof *buckets);  // LEAK reachable 1 block 512 bytes
  for (int i = 0; i < 64; i += 9) {
    buckets[i] = calloc(4, 8);   // LEAK reachable 8 blocks 256 bytes
    buckets[i][3] = malloc(20);  // LEAK reachable 7 blocks 140 bytes
  }
  free(buckets[9][3]);
  buckets[9][3] = malloc(21);  // LEAK reachable 1 block 21 bytes
  ScrubStack();
  return 0;
}
