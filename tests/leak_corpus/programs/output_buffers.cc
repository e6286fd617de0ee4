// Trap 1: the buffer of standard output and libstdc++'s emergency pool are nobody's
// leaks: suppressed, and counted as such.
#include <cstdio>
#include <iostream>
#include <string>

#include "tests/leak_corpus/programs/leak.h"

int main() {
  printf("one line\n");                 // LEAK none
  std::cout << "another" << std::endl;  // LEAK none
  std::string text(100, 'x');           // LEAK none
  Use(text.data());
  return 0;
}
