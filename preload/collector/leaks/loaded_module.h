// A module as it is found in a process's memory.
#pragma once

#include <cstdint>
#include <string>

namespace mallogram {

struct LoadedModule {
  std::string path;             // as in /proc/PID/maps
  std::string build_id;         // raw bytes; empty if it has none
  uint64_t bias = 0;            // address - bias = address as in the ELF file
  uint64_t start = 0, end = 0;  // mapped range, .bss included
};

}  // namespace mallogram
