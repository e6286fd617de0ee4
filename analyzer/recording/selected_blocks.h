// The summary of a recording over some of its blocks.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "analyzer/recording/block_filter.h"
#include "analyzer/recording/live_at.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/trace.h"

namespace mallogram {

// Folds the events again and puts sites, sizes, sums and timeline of the selected
// blocks in the place of all blocks'. What the recording lost and cost, its length
// and its resident set stay those of the whole. Memory O(blocks alive + sites),
// with lifetimes a bit an allocation more.
absl::Status KeepSelected(Recording& recording, const BlockFilter& filter,
                          Trace* trace, ProgressFn progress);

// Blocks of a call stack, by its id.
using BlocksByStack = absl::flat_hash_map<uint32_t, LiveSite>;

// The selected blocks that were alive at a moment.
absl::StatusOr<BlocksByStack> SelectedAt(Recording& recording,
                                         const BlockFilter& filter,
                                         const Trace& trace, const Moment& moment,
                                         ProgressFn progress);

}  // namespace mallogram
