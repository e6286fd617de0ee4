// The chunks of one family of a recording, without the rest of it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "preload/trace_format.h"

namespace mallogram {

// Their payloads in file order; damaged ones are left out. An error is one of the
// file, and names it. For small families: all of it is held.
absl::StatusOr<std::vector<std::string>> ReadChunksOf(absl::string_view path,
                                                      ChunkType type);

}  // namespace mallogram
