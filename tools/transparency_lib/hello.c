// A small program for debuggers, tracers and compilers: some blocks, one of them
// lost.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Node {
  int value;
  struct Node* next;
};

static struct Node* Push(struct Node* list, int value) {
  struct Node* node = malloc(sizeof *node);
  node->value = value;
  node->next = list;
  return node;
}

int main(void) {
  struct Node* list = NULL;
  for (int i = 0; i < 10; ++i) list = Push(list, i * i);
  int sum = 0;
  while (list) {
    struct Node* next = list->next;
    sum += list->value;
    free(list);
    list = next;
  }
  char* volatile lost = malloc(100);
  strcpy(lost, "hello");
  printf("%s, sum %d\n", lost, sum);
  lost = NULL;
  return sum == 285 ? 5 : 1;
}
