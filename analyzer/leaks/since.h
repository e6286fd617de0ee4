// Two checks of one process.
#pragma once

#include <vector>

#include "analyzer/leaks/document.h"

namespace mallogram {

// Marks what changed in `after` against `before`, by kind and call stack, and adds
// the records that are gone.
void Compare(std::vector<LeakRecord> before, std::vector<LeakRecord>* after);

}  // namespace mallogram
