#include "analyzer/study/spec/target.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "analyzer/command/cli.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

absl::StatusOr<Comparison> TakeComparison(absl::string_view* text) {
  *text = absl::StripAsciiWhitespace(*text);
  constexpr struct {
    absl::string_view sign;
    Comparison comparison;
  } kSigns[] = {{"<=", Comparison::kAtMost},
                {">=", Comparison::kAtLeast},
                {"<", Comparison::kLess},
                {">", Comparison::kGreater},
                {"=", Comparison::kEqual}};
  for (const auto& sign : kSigns) {
    if (!absl::ConsumePrefix(text, sign.sign)) continue;
    *text = absl::StripAsciiWhitespace(*text);
    return sign.comparison;
  }
  return absl::DataLossError(
      absl::StrCat("a target begins with <, <=, =, >= or >, not \"", *text, "\""));
}

}  // namespace

absl::StatusOr<Target> ParseValueTarget(absl::string_view text) {
  absl::StatusOr<Comparison> comparison = TakeComparison(&text);
  if (!comparison.ok()) return comparison.status();
  Target target;
  target.comparison = *comparison;
  absl::string_view number = text;
  if (absl::ConsumeSuffix(&number, "%")) {
    if (absl::SimpleAtod(number, &target.value)) {
      target.value /= 100;
      return target;
    }
  } else if (const std::optional<double> bytes = BytesOf(text)) {
    target.value = *bytes;
    return target;
  }
  return absl::DataLossError(
      absl::StrCat("\"", text, "\" is no amount; write 100MB, 64MiB, 1.5 or 5%"));
}

absl::StatusOr<Target> ParseLawTarget(absl::string_view text) {
  absl::StatusOr<Comparison> comparison = TakeComparison(&text);
  if (!comparison.ok()) return comparison.status();
  absl::StatusOr<fit::Growth> growth = ParseGrowth(text);
  if (!growth.ok()) return growth.status();
  return Target{*comparison, 0, *growth};
}

absl::StatusOr<fit::Growth> ParseGrowth(absl::string_view word) {
  std::vector<absl::string_view> names;
  for (size_t i = 0; i < fit::kGrowthLaws; ++i) {
    const fit::Growth growth = static_cast<fit::Growth>(i);
    if (fit::GrowthName(growth) == word) return growth;
    names.push_back(fit::GrowthName(growth));
  }
  const std::string meant = DidYouMean(word, names);
  return absl::DataLossError(absl::StrCat(
      "no growth class \"", word, "\"",
      meant.empty() ? absl::StrCat(" (", absl::StrJoin(names, ", "), ")") : meant));
}

bool Holds(double value, Comparison comparison, double limit) {
  switch (comparison) {
    case Comparison::kLess:
      return value < limit;
    case Comparison::kAtMost:
      return value <= limit;
    case Comparison::kEqual:
      return value == limit;
    case Comparison::kAtLeast:
      return value >= limit;
    case Comparison::kGreater:
      return value > limit;
  }
  return false;
}

}  // namespace mallogram::study
