// An executable that prints the address that a call in Marked() returns to, and
// where it is loaded: symbolizer_test runs it as PIE and not.
#include <link.h>

#include <cstdio>

__attribute__((noinline)) void* Probe() { return __builtin_return_address(0); }

__attribute__((noinline)) void* Marked(void* volatile* out) {
  *out = Probe();  // line 10
  return *out;
}

int main() {
  void* volatile pc = nullptr;
  Marked(&pc);
  std::printf("%lx %lx\n", reinterpret_cast<unsigned long>(pc),
              static_cast<unsigned long>(_r_debug.r_map->l_addr));
  return 0;
}
