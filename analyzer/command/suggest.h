// "Did you mean …?": the known word nearest to a mistyped one.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace mallogram {

// The candidate that two or fewer typing errors (one in words of up to four
// letters) turn into `word`; empty if there is none.
std::string Nearest(absl::string_view word,
                    const std::vector<std::string>& candidates);

}  // namespace mallogram
