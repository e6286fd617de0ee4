// A .mgram file to a Trace. Never trusts a byte: whatever the input, the result
// is a Trace (with warnings where something is missing) or one clear error, in
// memory bounded by what the intact part of the file really holds.
//
// Cost. With footer: O(sites + stack nodes); events are not touched. Without:
// one pass over the events, memory O(blocks alive + sites).
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/block_filter.h"
#include "analyzer/recording/chunk_directory.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/trace.h"

namespace mallogram {

struct ReadOptions {
  bool chunk_stats = false;  // fill Trace.chunks: reads every chunk's header
  bool check = false;        // verify every chunk's checksum: reads everything
  BlockFilter blocks;        // the summary is over these alone (selected_blocks.h)
};

// The message of an error is complete: it names the path.
absl::StatusOr<Trace> ReadTrace(absl::string_view path, const ReadOptions& options,
                                ProgressFn progress);
absl::StatusOr<Trace> ReadTrace(Recording& recording, const ReadOptions& options,
                                ProgressFn progress);

}  // namespace mallogram
