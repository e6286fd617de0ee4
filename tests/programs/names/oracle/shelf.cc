#include "tests/programs/names/oracle/shelf.h"

namespace shelf {
namespace {

__attribute__((noinline)) int Weigh(const Item* item) {
  int sum = 0;
  for (; item != nullptr; item = item->next) {
    if (item->weight % 3 == 0) {
      const int half = item->weight / 2;
      sum += half;
    } else {
      sum += item->weight;
    }
  }
  return sum;
}

inline void Drop(Item* item) {
  struct Local {
    static void Free(Item* dead) {
      if (dead->weight < 0) std::abort();
      std::free(dead);
    }
  };
  while (item != nullptr) {
    Item* const next = item->next;
    Local::Free(item);
    item = next;
  }
}

}  // namespace

int Shelf::Sum() const { return Weigh(first_); }

void Shelf::Clear() {
  Drop(first_);
  first_ = nullptr;
  count_ = 0;
}

Shelf& Shelf::operator+=(const Shelf& other) {
  for (const Item* item = other.first_; item != nullptr; item = item->next) {
    Put(item->weight);
  }
  return *this;
}

}  // namespace shelf
