// What many debug formats of one program must say the same of.
#include <cstdio>

#include "tests/programs/names/oracle/shelf.h"

using shelf::Repeat;
using shelf::Shelf;

static int Twice(int n) { return n > 40 ? n : n * 2; }

int Fill(Shelf* shelf, int n) {
  Repeat(n, [shelf](int i) {
    if (i % 2 == 0) {
      shelf->Put(Twice(i));
    } else {
      shelf->Put(i);
    }
  });
  return shelf->Sum();
}

template <int kDepth>
__attribute__((noinline)) int Nest(Shelf* shelf, int n) {
  if (n > 1000) std::abort();
  const int sum = Fill(shelf, n + kDepth);
  return sum + Nest<kDepth - 1>(shelf, n + sum % 7);
}

template <>
__attribute__((noinline)) int Nest<0>(Shelf* shelf, int n) {
  return Fill(shelf, n);
}

__attribute__((cold, noinline)) static int Rare(const char* text) {
  std::puts(text);
  return text[0];
}

int main(int argc, char** argv) {
  Shelf first, second;
  int sum = Nest<4>(&first, argc);
  if (argc > 5) sum += Rare(argv[1]);
  auto add = [&](int n) {
    Shelf inner;
    Repeat(n, [&](int i) { inner.Put(i + sum); });
    second += inner;
    return static_cast<int>(inner);
  };
  sum += add(7) + add(argc);
  second.Clear();
  std::printf("%d\n", sum);
  return sum == 0;
}
