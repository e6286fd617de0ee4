// std::string of the old ABI shares its text: the object points past a header of 24
// bytes, which the text's block begins with.
#include <string>
#include <vector>

#include "tests/leak_corpus/programs/leak.h"

std::string* kept;
std::vector<std::string>* several;

namespace {

NOINLINE void Lose() {
  std::string* lost = new std::string("lost with its text");  // LEAK definite 1 block 8 bytes, indirect 1 block
  Use(lost);
}

// The header's count says how many own it; without an owner it is lost.
NOINLINE void LoseText() {
  alignas(std::string) char place[sizeof(std::string)];
  std::string* text = new (place) std::string("nobody's text");  // LEAK definite 1 block
  Use(text);
}

}  // namespace

int main() {
  kept = new std::string("kept");                          // LEAK reachable 2 blocks
  several = new std::vector<std::string>;                  // LEAK reachable 1 block 24 bytes
  for (int i = 0; i < 10; i++) several->push_back(*kept);  // LEAK reachable 1 block 128 bytes
  Lose();
  LoseText();
  ScrubStack();
  return 0;
}
