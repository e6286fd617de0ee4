// Words of a command line: mistakes in them, numbers in them, and what the user
// probably meant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace mallogram {

// The code that main.cc takes for a mistake in the command line (exit status 2).
// Other errors must not use it.
inline absl::Status UsageError(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// "100000", "100MB" (10^8), "1.5 MiB", "1.5Mi", "1.5m" (1.5 * 2^20), in either
// case; nothing: not a finite number of bytes.
std::optional<double> BytesOf(absl::string_view text);

// An input size, or any number of things: "500", "0.5", "1e6", "10k", "1.5M" (10^3,
// 10^6), "64Ki" (2^16). Nothing: no finite number above 0.
std::optional<double> CountOf(absl::string_view text);

// Bytes above 0; `option` names it in the error.
absl::StatusOr<double> ParseBytes(absl::string_view option,
                                  absl::string_view value);

// Measures have one set of words; "leaked" is read as live, "bytes" as allocated.
absl::string_view MeasureWord(absl::string_view word);

// " (did you mean X?)" for the closest candidate, "" if none is close.
std::string DidYouMean(absl::string_view word,
                       absl::Span<const absl::string_view> candidates);

}  // namespace mallogram
