#include "analyzer/command/cli.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "analyzer/command/suggest.h"

namespace mallogram {

std::optional<double> BytesOf(absl::string_view text) {
  // "kB" is a thousand, "KiB" and the bare letter, as allocators' options have it,
  // are 1024.
  constexpr struct {
    absl::string_view names[3];
    double factor;
  } kUnits[] = {{{"kib", "ki", "k"}, 0x1p10}, {{"mib", "mi", "m"}, 0x1p20},
                {{"gib", "gi", "g"}, 0x1p30}, {{"tib", "ti", "t"}, 0x1p40},
                {{"kb", "kb", "kb"}, 1e3},    {{"mb", "mb", "mb"}, 1e6},
                {{"gb", "gb", "gb"}, 1e9},    {{"tb", "tb", "tb"}, 1e12},
                {{"b", "b", "b"}, 1},         {{"", "", ""}, 1}};
  const size_t last = text.find_last_of("0123456789.");
  if (last == absl::string_view::npos) return std::nullopt;
  const std::string unit =
      absl::AsciiStrToLower(absl::StripAsciiWhitespace(text.substr(last + 1)));
  double number = 0;
  if (!absl::SimpleAtod(text.substr(0, last + 1), &number) ||
      !std::isfinite(number))
    return std::nullopt;
  for (const auto& [names, factor] : kUnits) {
    for (const absl::string_view name : names) {
      if (unit == name) return number * factor;
    }
  }
  return std::nullopt;
}

std::optional<double> CountOf(absl::string_view text) {
  constexpr struct {
    absl::string_view name;
    double factor;
  } kUnits[] = {{"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30}, {"k", 1e3},
                {"K", 1e3},     {"M", 1e6},     {"G", 1e9}};
  double factor = 1;
  for (const auto& unit : kUnits) {
    if (!absl::ConsumeSuffix(&text, unit.name)) continue;
    factor = unit.factor;
    break;
  }
  double value = 0;
  // SimpleAtod takes "inf", "nan" and hexadecimal numbers, too.
  if (text.find_first_not_of("0123456789.eE+-") != absl::string_view::npos ||
      !absl::SimpleAtod(text, &value) || !(value > 0) || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value * factor;
}

absl::StatusOr<double> ParseBytes(absl::string_view option,
                                  absl::string_view value) {
  const std::optional<double> bytes = BytesOf(value);
  if (bytes.has_value() && *bytes > 0) return *bytes;
  return UsageError(absl::StrCat(
      option, " takes bytes above 0, as in 100MB or 64MiB, not \"", value, "\""));
}

absl::string_view MeasureWord(absl::string_view word) {
  if (word == "leaked") return "live";
  if (word == "bytes") return "allocated";
  return word;
}

std::string DidYouMean(absl::string_view word,
                       absl::Span<const absl::string_view> candidates) {
  const std::string best =
      Nearest(word, std::vector<std::string>(candidates.begin(), candidates.end()));
  return best.empty() ? "" : absl::StrCat(" (did you mean ", best, "?)");
}

}  // namespace mallogram
