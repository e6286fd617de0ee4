// clang-format off
#include <cstdio>
#include <functional>
#include <memory>
#include <ranges>
#include <string>
#include <vector>
__attribute__((noinline)) void loadNames(std::vector<std::string>& v) {
  for (int i = 0; i < 100; ++i) v.emplace_back(100 + i, 'x');
}
struct Task { std::vector<int> data; explicit Task(int n) : data(n) {} };
__attribute__((noinline)) std::shared_ptr<Task> plan(int n) { return std::make_shared<Task>(n); }
__attribute__((noinline)) void pipeline(std::vector<std::string>& v) {
  std::function<std::string(int)> f = [](int n) { return std::string(n, 'y'); };
  for (int i = 0; i < 10; ++i) v.push_back(std::invoke(f, 300 + i));
}
int main() {
  std::vector<std::string> v; loadNames(v); auto t = plan(500); pipeline(v);
  printf("%zu\n", v.size());
}
