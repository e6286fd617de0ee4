// Trap 10: what static objects free when they are destroyed is no leak; nor what a
// thread's objects free when it ends. An object made once and never destroyed is
// reachable.
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "tests/leak_corpus/programs/leak.h"

namespace {

struct Item {
  long value[5] = {};
};

std::unique_ptr<Item> global = std::make_unique<Item>();  // LEAK none
std::map<int, std::string> table;

Item& Once() {
  static Item* item = new Item;  // LEAK reachable 1 block 40 bytes
  return *item;
}
Item& Local() {
  static std::unique_ptr<Item> item(new Item);  // LEAK none
  return *item;
}

struct Late {
  ~Late() {
    delete item;
    item = nullptr;
    Use(this);
    Use(new Item);  // LEAK definite 1 block 40 bytes
  }
  Item* item = new Item;  // LEAK none
} late;

thread_local std::unique_ptr<Item> of_thread;

void Work() {
  of_thread = std::make_unique<Item>();  // LEAK none
  static thread_local Item* raw;
  raw = new Item;  // LEAK definite 1 block 40 bytes
  Use(&raw);
}

}  // namespace

int main() {
  table[1] = std::string(50, 'y');  // LEAK none
  Use(&Once());
  Use(&Local());
  of_thread = std::make_unique<Item>();  // LEAK none
  std::thread(Work).join();              // LEAK none
  ScrubStack();
  return 0;
}
