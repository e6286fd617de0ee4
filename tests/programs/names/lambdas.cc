// clang-format off
// A table of handlers run by one loop: every handler is a lambda, and each calls the same helper lambda.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>
#define NI __attribute__((noinline))
static void* volatile kept[20000]; static int used;
static const auto grow = [](long n) NI { for (long i = 0; i < n; ++i) kept[used++] = malloc(1000); asm volatile(""); };
NI void loadUsers(long n) { grow(n); asm volatile(""); }
NI void loadLogs(long n) { grow(n * n / 100); asm volatile(""); }
int main(int, char** argv) {
  const long n = atol(argv[1]);
  std::vector<std::function<void()>> handlers;
  handlers.push_back([n] { loadUsers(10 * n); asm volatile(""); });
  handlers.push_back([n] { loadLogs(n); asm volatile(""); });
  for (auto& h : handlers) h();
  printf("%d\n", used);
}
