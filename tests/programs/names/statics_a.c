// Two files, each with a static `helper` that calls on: recursion by name alone.
#include <stdlib.h>
void b(long n);
void* volatile kept[4000];
int used;
__attribute__((noinline)) static void helper(long n) {
  for (long i = 0; i < n; ++i) kept[used++] = malloc(500);
  b(n);
  __asm__ volatile("");
}
int main(void) {
  helper(10);
  return 0;
}
