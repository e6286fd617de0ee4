// Where the chunks of a trace are. Through the index if that is whole: O(chunks),
// no event is touched. Otherwise by walking the headers from the start, over
// damaged stretches to the next chunk that is whole.
//
// Bounded whatever the input: the walk reads every byte at most a few times (see
// kResyncBudget), and keeps 48 bytes a chunk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "analyzer/recording/byte_source.h"
#include "preload/trace/records.h"

namespace mallogram {

struct ChunkRef {
  uint64_t offset = 0;  // of the header
  ChunkHeader header = {};
};

struct ChunkDirectory {
  std::vector<ChunkRef> chunks;  // in file order; headers valid, payload unchecked
  bool from_index = false;
  // Walked only: bytes that belong to no chunk, stretches of them, and where the
  // first begins. A chunk that the end of the file cuts is `cut`, not damage.
  uint64_t lost_bytes = 0, lost_stretches = 0, first_lost = 0;
  bool cut = false;
  uint64_t index_chunks = 0;  // what the index says; 0: there is none
};

using ProgressFn = absl::FunctionRef<void(uint64_t done, uint64_t total)>;

// The directory by trailer and index, with the headers of chunks that `wanted`
// accepts; NotFound or DataLoss: use WalkChunks.
absl::StatusOr<ChunkDirectory> ReadIndex(ByteSource& source,
                                         absl::FunctionRef<bool(ChunkType)> wanted);

absl::StatusOr<ChunkDirectory> WalkChunks(ByteSource& source, ProgressFn progress);

// The payload of a chunk; DataLoss: damaged.
absl::StatusOr<std::string> ReadChunk(ByteSource& source, const ChunkRef& chunk);

}  // namespace mallogram
