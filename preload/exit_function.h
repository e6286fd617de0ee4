// Where exit() lies, and the C library around it. A leak check at the end of a
// process starts beyond exit's frame (leak_hold.h).
#pragma once

#include <cstdint>

namespace mallogram {

// Addresses from `start` to below `end`; both 0: not known.
struct CodeRange {
  uint64_t start, end;
  bool Holds(uint64_t pc) const { return pc >= start && pc < end; }
};

[[gnu::visibility("hidden")]] extern CodeRange g_exit_function, g_libc_code;

// Finds them. Call once, early: dlsym may take locks and allocate.
void RememberExit();

}  // namespace mallogram
