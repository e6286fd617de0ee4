// A call stack as a leak report shows it: from the innermost frame that is the
// user's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analyzer/report/report.h"
#include "analyzer/stacks/frame_table.h"

namespace mallogram {

struct ShownStack {
  std::vector<ShownFrame> frames;  // innermost first, the folded ones included
  size_t folded = 0;  // so many of them are an allocator's, the C++ library's, or
                      // the C library's (strdup); 0 if all are
  uint32_t root = 0;  // how it ends, as in records.h
};
ShownStack StackOf(const Report& names, const FrameTable& frames, uint32_t node);

}  // namespace mallogram
