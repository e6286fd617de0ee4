// The two hashes of ELF symbol names (gABI and GNU), for tables in memory and in
// files.
#pragma once

#include <cstdint>

namespace mallogram {

inline uint32_t GnuHash(const char* name) {
  uint32_t hash = 5381;
  for (; *name != 0; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

inline uint32_t SysvHash(const char* name) {
  uint32_t hash = 0;
  for (; *name != 0; ++name) {
    hash = (hash << 4) + static_cast<unsigned char>(*name);
    hash = (hash ^ (hash & 0xf0000000u) >> 24) & 0x0fffffffu;
  }
  return hash;
}

}  // namespace mallogram
