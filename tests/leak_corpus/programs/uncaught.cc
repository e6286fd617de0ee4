// Trap 11: an exception that nobody catches ends the process while the frames it
// was thrown through are still there.
//
// RUN: signal 6
#include <stdexcept>

#include "tests/leak_corpus/programs/leak.h"

void* global;

namespace {

NOINLINE void Lose() {
  Use(new char[51]);  // LEAK definite 1 block 51 bytes
}

NOINLINE void Throw() {
  void* mine = new char[52];  // LEAK reachable 1 block 52 bytes
  Use(&mine);
  throw std::runtime_error("nobody catches this");  // LEAK optional
}

}  // namespace

int main() {
  global = new char[53];  // LEAK reachable 1 block 53 bytes
  Lose();
  ScrubStack();
  Throw();
  return 0;
}
