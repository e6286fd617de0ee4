// The suppressions that a program brings along for LeakSanitizer: the string that
// its __lsan_default_suppressions() returns. The function is read, not run.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "analyzer/leaks/document.h"
#include "analyzer/recording/trace.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

// Calls `add` with what the executable of the trace, or else the first of its own
// libraries that has the function, returns. Where it is not a constant string, adds
// a warning.
void FindLsanDefaults(
    const Trace& trace, Symbolizer* symbolizer, std::vector<std::string>* warnings,
    absl::FunctionRef<void(absl::string_view text, absl::string_view source)> add);

}  // namespace mallogram
