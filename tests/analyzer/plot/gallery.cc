// Draws every sample, for people to look at and for files_test.py.
//
// gallery DIRECTORY [SAMPLE…]
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/analyzer/plot/samples.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: gallery DIRECTORY [SAMPLE…]\n", stderr);
    return 2;
  }
  const std::vector<std::string> wanted(argv + 2, argv + argc);
  for (const mallogram::plot::Sample& sample : mallogram::plot::AllSamples()) {
    if (!wanted.empty() &&
        std::find(wanted.begin(), wanted.end(), sample.name) == wanted.end()) {
      continue;
    }
    const absl::Status status =
        sample.draw(std::string(argv[1]) + "/" + sample.name);
    if (!status.ok()) {
      std::fprintf(stderr, "gallery: %s: %s\n", sample.name.c_str(),
                   std::string(status.message()).c_str());
      return 1;
    }
  }
}
