// Inlined calls in headers, templates, classes: shared by the files of the program.
#pragma once

#include <cstdlib>

namespace shelf {

struct Item {
  Item* next;
  int weight;
};

template <typename T>
T* Make(int weight) {
  T* made = static_cast<T*>(std::malloc(sizeof(T) + static_cast<unsigned>(weight)));
  if (made == nullptr) std::abort();
  made->weight = weight;
  return made;
}

class Shelf {
 public:
  Shelf() = default;
  ~Shelf() { Clear(); }
  void Put(int weight) {
    Item* item = Make<Item>(weight);
    item->next = first_;
    first_ = item;
    ++count_;
  }
  int Sum() const;
  Shelf& operator+=(const Shelf& other);
  explicit operator int() const { return count_; }
  void Clear();

 private:
  Item* first_ = nullptr;
  int count_ = 0;
};

template <typename F>
inline void Repeat(int times, F f) {
  for (int i = 0; i < times; ++i) f(i);
}

}  // namespace shelf

int Fill(shelf::Shelf* shelf, int n);
