// Reachable from every kind of writable data of the program.
#include "tests/leak_corpus/programs/leak.h"

void* zeroed;
void* preset = &zeroed;
struct {
  int number;
  char name[12];
  void* member;
} record = {7, "name", NULL};
void* table[1000];
union {
  double number;
  void* pointer;
} either;

NOINLINE static void StaticLocal(void) {
  static void* once;
  if (once == NULL) once = malloc(11);  // LEAK reachable 1 block 11 bytes
  Use(&once);
}

NOINLINE static void FileLocal(void) {
  static struct {
    char padding[256];
    void* pointer;
  } hidden;
  hidden.pointer = malloc(12);  // LEAK reachable 1 block 12 bytes
  Use(&hidden);
}

int main(void) {
  zeroed = malloc(13);          // LEAK reachable 1 block 13 bytes
  preset = malloc(14);          // LEAK reachable 1 block 14 bytes
  record.member = malloc(15);   // LEAK reachable 1 block 15 bytes
  table[0] = malloc(16);        // LEAK reachable 1 block 16 bytes
  table[999] = malloc(17);      // LEAK reachable 1 block 17 bytes
  either.pointer = malloc(18);  // LEAK reachable 1 block 18 bytes
  StaticLocal();
  FileLocal();
  table[500] = malloc(19);  // LEAK definite 1 block 19 bytes
  table[500] = NULL;
  ScrubStack();
  return 0;
}
