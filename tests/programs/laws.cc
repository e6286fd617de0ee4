// Call sites whose growth is known by construction, all in one program: what
// scaling fits are tested on.
//
//   laws N [QUADRATIC]   N: input size; QUADRATIC: bytes per N² (default 0.1)
//
// Every site holds its blocks until the end, where the heap is highest. Prints a
// line a site, "NAME BYTES": what it holds then.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

struct Block {
  Block* next;
};
Block* held = nullptr;

void Hold(void* block) {
  Block* const head = static_cast<Block*>(block);
  head->next = held;
  held = head;
}

void Print(const char* name, uint64_t bytes) {
  printf("%s %llu\n", name, static_cast<unsigned long long>(bytes));
}

[[gnu::noinline]] void SiteConstant() {
  for (int i = 0; i < 100; ++i) Hold(malloc(4000));
  Print("SiteConstant", 400000);
}

[[gnu::noinline]] void SiteLogarithmic(uint64_t n) {
  const auto bytes =
      static_cast<uint64_t>(50000 * std::log(static_cast<double>(n)));
  Hold(malloc(bytes));
  Print("SiteLogarithmic", bytes);
}

[[gnu::noinline]] void SiteLinear(uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) Hold(malloc(480));
  Print("SiteLinear", 480 * n);
}

// As a table of n entries whose keys are log n long.
[[gnu::noinline]] void SiteLinearithmic(uint64_t n) {
  const auto key = static_cast<uint64_t>(60 * std::log(static_cast<double>(n)));
  for (uint64_t i = 0; i < n; ++i) Hold(malloc(key));
  Print("SiteLinearithmic", key * n);
}

// May be too small for a Block.
[[gnu::noinline]] void* SiteQuadratic(uint64_t n, double factor) {
  const auto bytes = static_cast<uint64_t>(factor * static_cast<double>(n * n));
  Print("SiteQuadratic", bytes);
  return malloc(bytes);
}

// A cache that is full at 2,000 entries.
[[gnu::noinline]] void SiteBounded(uint64_t n) {
  const uint64_t entries = n < 2000 ? n : 2000;
  for (uint64_t i = 0; i < entries; ++i) Hold(malloc(512));
  Print("SiteBounded", 512 * entries);
}

// Doubles: the size is a power of two.
[[gnu::noinline]] void SiteStepped(uint64_t n, std::vector<uint64_t>* values) {
  for (uint64_t i = 0; i < n; ++i) values->push_back(i);
  Print("SiteStepped", 8 * values->capacity());
}

// One block a level of a recursion as deep as n / 2, by two functions in turn.
void SiteEven(uint64_t depth);
[[gnu::noinline]] void SiteOdd(uint64_t depth) {
  Hold(malloc(100));
  if (depth > 1) SiteEven(depth - 1);
}
[[gnu::noinline]] void SiteEven(uint64_t depth) {
  Hold(malloc(200));
  if (depth > 1) SiteOdd(depth - 1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const uint64_t n = strtoull(argv[1], nullptr, 10);
  const double quadratic = argc > 2 ? strtod(argv[2], nullptr) : 0.1;
  std::vector<uint64_t> values;
  SiteStepped(n, &values);  // first: while it grows it holds old and new
  SiteConstant();
  SiteLogarithmic(n);
  SiteLinear(n);
  SiteLinearithmic(n);
  SiteBounded(n);
  const uint64_t depth = n / 2;
  SiteEven(depth);
  Print("SiteEven", (depth + 1) / 2 * 200);
  Print("SiteOdd", depth / 2 * 100);
  free(SiteQuadratic(n, quadratic));
  while (held != nullptr) {
    Block* const next = held->next;
    free(held);
    held = next;
  }
  return 0;
}
