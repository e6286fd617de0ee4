// Containers that are lost take their elements along: the container definite, the
// rest indirect. Held by a pointer that stays: all reachable. Static ones are
// freed.
#include <deque>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/leak_corpus/programs/leak.h"

namespace {

const std::string kLong(40, 'x');  // LEAK none

NOINLINE void Vector() {
  auto* v = new std::vector<int>;  // LEAK definite 1 block 24 bytes
  v->reserve(100);                 // LEAK indirect 1 block 400 bytes
  Use(v);
}
NOINLINE void List() {
  auto* list = new std::list<int>;                  // LEAK definite 1 block 24 bytes
  for (int i = 0; i < 10; i++) list->push_back(i);  // LEAK indirect 10 blocks 240 bytes
  Use(list);
}
NOINLINE void Map() {
  auto* map = new std::map<int, int>;          // LEAK definite 1 block 48 bytes
  for (int i = 0; i < 10; i++) (*map)[i] = i;  // LEAK indirect 10 blocks 400 bytes
  Use(map);
}
NOINLINE void Texts() {
  auto* texts = new std::map<int, std::string>;  // LEAK definite 1 block 48 bytes
  for (int i = 0; i < 5; i++) {
    std::string& text = (*texts)[i];  // LEAK indirect 5 blocks 360 bytes
    text = kLong;                     // LEAK indirect 5 blocks 205 bytes
  }
  Use(texts);
}
NOINLINE void Hashed() {
  auto* map = new std::unordered_map<int, int>;  // LEAK definite 1 block 56 bytes
  map->reserve(10);                              // LEAK indirect 1 block
  for (int i = 0; i < 10; i++) (*map)[i] = i;    // LEAK indirect 10 blocks 160 bytes
  Use(map);
}
NOINLINE void Deque() {
  auto* deque = new std::deque<long>;  // LEAK definite 1 block 80 bytes, indirect 2 blocks
  Use(deque);
}

std::map<int, int>* kept;
std::vector<std::vector<int>> freed;

NOINLINE void Keep() {
  kept = new std::map<int, int>;                           // LEAK reachable 1 block 48 bytes
  for (int i = 0; i < 10; i++) (*kept)[i] = i;             // LEAK reachable 10 blocks 400 bytes
  for (int i = 0; i < 10; i++) freed.emplace_back(i + 1);  // LEAK none
}

}  // namespace

int main() {
  Vector();
  List();
  Map();
  Texts();
  Hashed();
  Deque();
  Keep();
  Use(&kept);
  ScrubStack();
  return 0;
}
