// kPools chunks: what the program's own allocators gave out, as they told us
// (client/mallogram.h). Kept apart from the heap's figures: a pool's blocks lie in
// memory that the pool took from malloc, mmap or a static array, so their bytes
// would count twice.
//
//   payload := count pool*
//
// The last chunk of a file holds all pools.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/trace_format.h"

namespace mallogram {

// Blocks that one call stack took from a pool.
struct PoolSite {
  uint32_t stack = 0;
  uint64_t calls = 0, bytes = 0;  // ever
  uint64_t live_blocks = 0, live_bytes = 0;
  uint64_t oldest_ns = 0, youngest_ns = 0;  // of those alive; 0: none
  uint32_t thread = 0;                      // index, of the youngest
};

struct Pool {
  std::string name;
  bool destroyed = false;
  uint64_t peak_bytes = 0, peak_time_ns = 0;
  uint64_t unknown_frees = 0;  // of addresses that the pool had not given out
  std::vector<PoolSite> sites;
};

std::string EncodePools(const std::vector<Pool>& pools);
absl::StatusOr<std::vector<Pool>> DecodePools(std::string_view payload);

}  // namespace mallogram
