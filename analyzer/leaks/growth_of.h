// Growth (leaks/growth) as leak reports show it.
#pragma once

#include <string>

#include "analyzer/leaks/builder.h"
#include "analyzer/leaks/growth/label.h"
#include "analyzer/leaks/growth/read_growth.h"
#include "analyzer/recording/chunk_directory.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/trace.h"

namespace mallogram {

// `trace` was read from `recording`; `check`: number of the leak check that is
// shown, 0: the last. A file whose events cannot be read says nothing of any stack.
GrowthOf MakeGrowthOf(Recording& recording, const Trace& trace, size_t check,
                      ProgressFn progress);

// The same, of growth that was read before.
GrowthOf ShowGrowth(RunGrowth growth);

// "72 KiB an hour (70 KiB to 75 KiB), 12 B an allocation, since 1.2 s, p < 0.001";
// of a site that does not grow, why not.
std::string GrowthText(const SiteGrowth& site);

}  // namespace mallogram
