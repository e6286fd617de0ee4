// A Difference to text or JSON. No computing and no I/O here.
#pragma once

#include <cstddef>
#include <string>

#include "analyzer/command/terminal.h"
#include "analyzer/diff/difference.h"

namespace mallogram {

struct DiffTextOptions {
  Style style;
  size_t by = 0;               // measure
  size_t top = 10, depth = 8;  // 0: all
  bool full_names = false;
};
std::string RenderDiffText(const Difference& difference,
                           const DiffTextOptions& options);
// `top`: 0: all.
std::string RenderDiffJson(const Difference& difference, size_t by, size_t top);

}  // namespace mallogram
