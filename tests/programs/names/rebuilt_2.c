// The later build: alpha and beta have changed places.
#include <stdlib.h>
void* volatile k[100];
__attribute__((noinline)) void beta(int i) {
  k[i] = malloc(2000);
  __asm__ volatile("");
}
__attribute__((noinline)) void alpha(int i) {
  k[i] = malloc(1000);
  __asm__ volatile("");
}
int main() {
  for (int i = 0; i < 10; ++i) alpha(i);
  beta(50);
}
