// A list whose links are members: at offset 0 the nodes are reachable, at offset 16
// every pointer is an interior one, and the nodes are possibly lost.
#include "tests/leak_corpus/programs/leak.h"

struct Link {
  struct Link *next, *previous;
};
struct First {
  struct Link link;
  long value;
};
struct Second {
  long value[2];
  struct Link link;
};

struct Link firsts = {&firsts, &firsts};
struct Link seconds = {&seconds, &seconds};

NOINLINE static void Insert(struct Link* list, struct Link* link) {
  link->next = list->next;
  link->previous = list;
  list->next->previous = link;
  list->next = link;
}

int main(void) {
  for (int i = 0; i < 5; i++) {
    struct First* first = calloc(1, sizeof *first);  // LEAK reachable 5 blocks 120 bytes
    Insert(&firsts, &first->link);
    struct Second* second = Fill(malloc(sizeof *second), sizeof *second);  // LEAK possible 5 blocks 160 bytes
    Insert(&seconds, &second->link);
  }
  ScrubStack();
  return 0;
}
