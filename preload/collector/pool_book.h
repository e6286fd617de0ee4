// What the program's own allocators gave out and got back (client/mallogram.h), per
// pool and call stack. Has nothing to do with the heap model: a pool's blocks lie
// within memory that is accounted for already.
//
// Stack ids are the image's until List(). Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/collector/ring_stream.h"
#include "preload/trace/pools.h"

namespace mallogram {

class PoolBook {
 public:
  static constexpr size_t kMaxPools = 4096;
  static constexpr size_t kMaxName = 64;

  // A kPool… record.
  void Note(const Record& record, uint32_t thread, uint64_t time_ns);
  bool empty() const { return pools_.empty(); }
  std::vector<Pool> List(const std::function<uint32_t(uint32_t)>& translate) const;

 private:
  struct Block {
    uint64_t size, time_ns;
    uint32_t site, thread;
  };
  struct OnePool {
    Pool pool;
    uint64_t live_bytes = 0;
    absl::flat_hash_map<uint32_t, uint32_t> site_of_stack = {};
    absl::flat_hash_map<uint64_t, Block> blocks = {};
  };

  OnePool* Find(uint32_t id);
  static void AddName(const Record& record, Pool* pool);
  static void Allocate(OnePool* p, const Record& record, uint32_t thread,
                       uint64_t time_ns);
  static bool Free(OnePool* p, uint64_t address);

  absl::flat_hash_map<uint32_t, size_t> index_;  // by the program's number
  std::vector<OnePool> pools_;                   // in order of appearance
};

}  // namespace mallogram
