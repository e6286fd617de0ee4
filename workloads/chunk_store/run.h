// One run of the chunk store: generate, store, use, close.
//
// Phases: baseline, generated (all chunks made), stored (and in the store), kept
// (the maker's own references dropped), used (operations done), closed (store
// closed), end.

#ifndef WORKLOADS_CHUNK_STORE_RUN_H_
#define WORKLOADS_CHUNK_STORE_RUN_H_

#include <cstdint>
#include <string>

#include "workloads/common/json.h"
#include "workloads/common/leaks.h"
#include "workloads/common/truth.h"

namespace workloads::chunks {

struct Config {
  int64_t seed = 1;
  int64_t chunks = 1000;
  int64_t operations = 1000;
  int64_t cache_kib = 2048;
  std::string store = "memory";  // or "sqlite"
  std::string database;          // empty: a temporary one
};

struct RunLeaks {
  LeakSite fetched_chunk{"fetched-chunk", LeakKind::kLost,
                         "the docstring of a chunk that was looked up"};
  LeakSite replaced_chunk{"replaced-chunk", LeakKind::kChain,
                          "the texts of a chunk that an edit replaces, linked"};
  LeakSite activation_log{"activation-log", LeakKind::kGrowing,
                          "the id of every chunk that was used, kept in a log"};
};

// Returns what went wrong, empty when nothing did.
std::string Run(const Config& config, RunLeaks* leaks, Phases& phases,
                Entities& entities, Json& json);

}  // namespace workloads::chunks

#endif  // WORKLOADS_CHUNK_STORE_RUN_H_
