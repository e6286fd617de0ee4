// Expected texts in files. The build says where they are: GOLDEN_DIR.
// MALLOGRAM_UPDATE_GOLDENS=1 writes them anew; tests/e2e/harness.py has the same
// for Python.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace mallogram {

inline void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = std::string(GOLDEN_DIR) + "/" + name;
  if (getenv("MALLOGRAM_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::stringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(golden.str(), text) << "MALLOGRAM_UPDATE_GOLDENS=1 updates " << path;
}

}  // namespace mallogram
