// The verbs that people type, for suggestions. main.cc checks its table against it.
#pragma once

#include <array>

#include "absl/strings/string_view.h"

namespace mallogram {

inline constexpr std::array<absl::string_view, 12> kVerbNames = {
    "record", "report", "info",  "leaks",     "check", "diff",
    "fit",    "study",  "sweep", "symbolize", "help",  "version"};

}  // namespace mallogram
