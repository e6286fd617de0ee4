// Input sizes as people write them. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram {

// "n=1,5,10k" to {"n", {"1", "5", "10k"}}.
absl::StatusOr<std::pair<std::string, std::vector<std::string>>> ParseParameter(
    absl::string_view text);

// A name that may stand in braces: letters, digits, '_' and '-'.
bool IsParameterName(absl::string_view name);

// Sizes and ranges to plain numbers above 0, rising, each once.
//   "5", "0.5", "1e6"      as written
//   "10k", "1.5M", "64Ki"  10000, 1500000, 65536
//   "1..1000:7"            seven numbers from 1 to 1000, each about the same factor
//                          above the last; whole ones if the ends are. Where that
//                          factor would be 2, 4, 8 …, the inner ones are moved by
//                          up to a fifth: a vector that doubles looks exactly
//                          linear on such sizes. "1..1000" has seven too.
absl::StatusOr<std::vector<std::string>> ExpandSizes(
    const std::vector<std::string>& words);

// The value of a plain number. REQUIRES: ExpandSizes made it.
double SizeValue(absl::string_view size);

}  // namespace mallogram
