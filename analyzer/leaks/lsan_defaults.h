// The suppressions that a program brings along for LeakSanitizer: the string that
// its __lsan_default_suppressions() returns. The function is read, not run.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "analyzer/leaks/document.h"
#include "analyzer/recording/trace.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

inline constexpr char kLsanFunction[] = "__lsan_default_suppressions";

// Modules that may have the function: the executable first; none of the system's.
std::vector<const Module*> LsanModules(const Trace& trace);

// Calls `add` with what the executable of the trace, or else the first of its own
// libraries that has the function, returns. Where it is not a constant string, adds
// a warning.
void FindLsanDefaults(
    const Trace& trace, Symbolizer* symbolizer, std::vector<std::string>* warnings,
    absl::FunctionRef<void(absl::string_view text, absl::string_view source)> add);

}  // namespace mallogram
