// clang-format off
#include <cstdlib>
void* volatile kept[64];
namespace shop {
struct Basket {
  void* item;
  __attribute__((always_inline)) void add(size_t n) {
    item = malloc(n);
  }
};
__attribute__((always_inline)) inline void fill(Basket& b, size_t n) {
  b.add(n);
}
namespace { __attribute__((noinline)) void hidden(int i) {
  Basket b;
  fill(b, 1000 + i);
  kept[i] = b.item;
} }
__attribute__((noinline)) void open(int i) { hidden(i); asm volatile(""); }
}
int main() {
  for (int i = 0; i < 3; ++i) shop::open(i);
}
