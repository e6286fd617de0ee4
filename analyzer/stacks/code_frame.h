// A function at a place, as the user reads it.
#pragma once

#include <cstdint>
#include <string>

namespace mallogram {

struct CodeFrame {
  std::string function;  // empty: not known
  std::string file;      // empty: not known
  uint32_t line = 0;
  std::string module;     // path; empty: none
  uint64_t offset = 0;    // of the first address with this frame
  bool plumbing = false;  // IsPlumbing
  // A line that says how the stack ends, instead of a frame.
  bool note = false;
  std::string symbol = {};  // mangled; empty: none
};

}  // namespace mallogram
