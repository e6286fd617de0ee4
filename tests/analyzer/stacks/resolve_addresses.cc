// Names the addresses of a file that stand on stdin, in hexadecimal: for each its
// number of frames, then a line a frame, innermost first: what the linker calls
// the function, what people do, file, line, whether it is inlined, between tabs.
#include <cstdio>
#include <iostream>
#include <string>

#include "analyzer/stacks/symbolizer.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  mallogram::Symbolizer symbolizer;
  mallogram::Module module;
  module.path = argv[1];
  for (std::string line; std::getline(std::cin, line);) {
    // Stacks have return addresses.
    const uint64_t address = std::stoull(line, nullptr, 16) + 1;
    const auto frames = symbolizer.Resolve(module, address);
    std::printf("%zu\n", frames.size());
    for (const mallogram::Frame& frame : frames) {
      std::printf(
          "%s\t%s\t%s\t%u\t%d\n",
          frame.symbol.empty() ? frame.function.c_str() : frame.symbol.c_str(),
          frame.function.c_str(), frame.file.c_str(), frame.line,
          frame.inlined ? 1 : 0);
    }
  }
  for (const std::string& note : symbolizer.notes())
    std::fprintf(stderr, "%s\n", note.c_str());
  return 0;
}
