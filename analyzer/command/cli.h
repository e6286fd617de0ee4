// Command lines: options, and what the user probably meant.
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

struct OptionSpec {
  absl::string_view name;  // "--by"
  bool takes_value = false;
  bool value_optional = false;  // may have one, but only as --name=value
};

struct ParsedArguments {
  struct Option {
    absl::string_view name;  // of the spec
    std::string value;
  };
  std::vector<Option> options;  // in order
  std::vector<std::string> operands;
};

// "--name value", "--name=value", "--" ends the options. `arguments` does not
// hold the verb. `until_operand`: the first operand ends the options, too.
absl::StatusOr<ParsedArguments> ParseArguments(absl::Span<char* const> arguments,
                                               absl::Span<const OptionSpec> specs,
                                               bool until_operand = false);

// A decimal number; `option` names it in the error.
absl::StatusOr<uint64_t> ParseNumber(absl::string_view option,
                                     absl::string_view value);

// A finite number above 0.
absl::StatusOr<double> ParsePositive(absl::string_view option,
                                     absl::string_view value);

// "100000", "100MB" (10^8), "1.5 MiB", "1.5Mi", "1.5m" (1.5 * 2^20), in either
// case; nothing: not a finite number of bytes.
std::optional<double> BytesOf(absl::string_view text);

// The same, above 0; `option` names it in the error.
absl::StatusOr<double> ParseBytes(absl::string_view option,
                                  absl::string_view value);

// Measures have one set of words; "leaked" is read as live, "bytes" as allocated.
absl::string_view MeasureWord(absl::string_view word);

// To standard output, all of it.
absl::Status PrintOut(absl::string_view text);

// " (did you mean X?)" for the closest candidate, "" if none is close.
std::string DidYouMean(absl::string_view word,
                       absl::Span<const absl::string_view> candidates);

}  // namespace mallogram
