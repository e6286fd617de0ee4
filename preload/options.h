// The launch variables, read once and remembered: a child of fork must not read an
// environment that another thread was just changing.
#pragma once

#include <cstdint>

#include "preload/image.h"

namespace mallogram {

struct Options {
  bool enabled;
  OnFull on_full;
  uint32_t max_depth;  // 0: unlimited
  uint32_t ring_words;
  uint64_t sample_interval;  // 0: no sampling
  uint64_t sample_seed;      // 0: another one every time
  bool verify;
  LeakCheckMode leak_check;
  bool mismatches;
  uint32_t filters;       // seccomp filters of the launcher; kNoCount: not known
  uint64_t key;           // for the collector
  char socket_path[108];  // empty: start a collector (bare LD_PRELOAD)
};
inline constexpr uint32_t kNoCount = 0xffffffffu;

const Options& ReadOptions();

}  // namespace mallogram
