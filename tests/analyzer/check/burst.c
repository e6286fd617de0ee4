/* Loses 250,000 B and peaks at 40 MiB; recorded onto a full disk no gate may be
 * green. */
#include <stdlib.h>
__attribute__((noinline)) void lose(int n) {
  char* volatile p = malloc(n);
  p[0] = 1;
  p = 0;
}
int main() {
  unsigned r = 1;
  void* volatile k[500] = {0};
  for (int i = 0; i < 600000; ++i) {
    r = r * 1103515245 + 12345;
    int j = r / 65536 % 500;
    free(k[j]);
    k[j] = malloc(1 + r % 3000);
  }
  for (int i = 0; i < 50; ++i) lose(5000);
  char* volatile big = malloc(40 << 20);
  big[0] = 1;
  free(big);
}
