// The filters of call stacks applied to a leak report.
#pragma once

#include "absl/strings/string_view.h"
#include "analyzer/leaks/document.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// Drops what the book's filter does not select, merges records that read the same
// without hidden frames, and sums up. A warning says what was left out; `words`:
// the filters, as options. After suppressions, which look at all frames.
void ApplyFilter(const StackBook& book, absl::string_view words,
                 LeakDocument* document);

}  // namespace mallogram
