// Mistakes of ownership: release() without delete, a base class whose destructor is
// not virtual, a constructor that throws, elements of a container of raw pointers,
// a callback that nobody holds, an object whose destructor never runs.
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/leak_corpus/programs/leak.h"

namespace {

struct Item {
  long value[4] = {};
};

NOINLINE void Release() {
  auto owner = std::make_unique<Item>();  // LEAK definite 1 block 32 bytes
  Use(owner.release());
}
NOINLINE void Owned() {
  auto owner = std::make_unique<Item>();  // LEAK none
  Use(owner.get());
}

struct Base {
  ~Base() { Use(this); }
  long value = 0;
};
struct Derived : Base {
  std::vector<int> numbers;
};
NOINLINE void NotVirtual() {
  Derived* derived = new Derived;  // LEAK none
  derived->numbers.resize(25);     // LEAK definite 1 block 100 bytes
  Base* base = derived;
  Use(base);
  delete base;
}

struct Throws {
  explicit Throws(int n) {
    memory = new char[44];  // LEAK definite 1 block 44 bytes
    Use(memory);
    if (n > 0) throw std::invalid_argument("no");  // LEAK none
  }
  ~Throws() { delete[] memory; }
  char* memory;
};
NOINLINE void Constructor(int n) {
  try {
    auto throws = std::make_unique<Throws>(n);  // LEAK none
    Use(throws.get());
  } catch (const std::exception& e) {
    Use(&e);
  }
}

NOINLINE void Elements() {
  std::vector<Item*> items;
  for (int i = 0; i < 10; i++) {
    items.push_back(new Item);  // LEAK definite 10 blocks 320 bytes
  }
  Use(items.data());
}

NOINLINE void Callback() {
  char big[64] = {};
  auto* callback = new std::function<int()>([big] { return static_cast<int>(big[3]); });  // LEAK definite 1 block 32 bytes, indirect 1 block 64 bytes
  Use(callback);
}

alignas(std::vector<int>) char place[sizeof(std::vector<int>)];
NOINLINE void Placed() {
  auto* numbers = new (place) std::vector<int>;
  numbers->resize(30);                             // LEAK reachable 1 block 120 bytes
  void* block = malloc(sizeof(std::vector<int>));  // LEAK none
  auto* others = new (block) std::vector<int>;
  others->resize(31);  // LEAK definite 1 block 124 bytes
  free(block);
}

}  // namespace

int main() {
  Release();
  Owned();
  NotVirtual();
  Constructor(1);
  Elements();
  Callback();
  Placed();
  ScrubStack();
  return 0;
}
