// Exceptions that were caught are freed; what the frames they unwound owned without
// a destructor is lost.
#include <stdexcept>
#include <vector>

#include "tests/leak_corpus/programs/leak.h"

namespace {

NOINLINE void Throw(int i) {
  char* raw = new char[61];     // LEAK definite 5 blocks 305 bytes
  std::vector<char> owned(62);  // LEAK none
  Use(raw);
  Use(owned.data());
  throw std::out_of_range("caught");  // LEAK none
  delete[] raw;
}

}  // namespace

int main() {
  for (int i = 0; i < 5; i++) {
    try {
      Throw(i);
    } catch (const std::exception& e) {
      Use(&e);
    }
  }
  ScrubStack();
  return 0;
}
