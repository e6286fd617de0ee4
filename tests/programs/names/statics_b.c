// The other file with a static helper(): see statics_a.c.
#include <stdlib.h>
extern void* volatile kept[];
extern int used;
__attribute__((noinline)) static void helper(long n) {
  for (long i = 0; i < n; ++i) kept[used++] = malloc(700);
  __asm__ volatile("");
}
void b(long n) {
  helper(n);
  __asm__ volatile("");
}
