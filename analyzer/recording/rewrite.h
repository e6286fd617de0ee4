// A recording's file with other names in it (preload/trace/names.h).
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/recording.h"

namespace mallogram {

// Writes the recording to `path`, with these kNames payloads in the place of those
// that it has. All other chunks are copied byte by byte; a recording without index
// stays one. `path` is replaced by a rename when the new file is whole and on the
// medium: at any time it is the old file or the new one. May be the recording's
// own.
absl::Status WriteWithNames(Recording& recording,
                            const std::vector<std::string>& payloads,
                            const std::string& path);

}  // namespace mallogram
