#include "analyzer/sweep/sizes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/cli.h"

namespace mallogram {
namespace {

constexpr uint64_t kDefaultCount = 7, kMostSizes = 1000;
constexpr double kLargest = 1e15;  // whole numbers are exact up to here

bool IsWhole(double value) { return std::floor(value) == value; }

std::string PlainNumber(double value) {
  return IsWhole(value) ? absl::StrFormat("%.0f", value)
                        : absl::StrFormat("%.6g", value);
}

absl::Status BadSize(absl::string_view word) {
  return UsageError(absl::StrCat(
      "\"", word,
      "\" is not a size: write a number above 0, such as 500, 10k (10^4)",
      ", 1.5M or 64Ki, or a range such as 1..1000:7"));
}

// The number, with its unit multiplied in.
absl::StatusOr<std::string> ExpandSize(absl::string_view word) {
  const std::optional<double> value = CountOf(word);
  if (!value.has_value() || *value > kLargest) return BadSize(word);
  const bool as_written =
      absl::ascii_isdigit(static_cast<unsigned char>(word.back())) ||
      word.back() == '.';
  return as_written ? std::string(word) : PlainNumber(*value);
}

// Exponents of the inner sizes, in powers of two, are moved by this much at most.
constexpr double kShift = 0.25;

std::vector<double> Geometric(double first, double last, size_t count) {
  const double octaves = std::log2(last / first) / static_cast<double>(count - 1);
  const double nearest = std::round(octaves);
  // How far the sizes get from first · 2^k, all in all.
  const double drift = std::abs(octaves - nearest) * static_cast<double>(count - 1);
  const bool doubling = nearest >= 1 && drift < kShift;
  std::vector<double> sizes;
  for (size_t i = 0; i < count; ++i) {
    double exponent = octaves * static_cast<double>(i);
    if (doubling && i != 0 && i != count - 1) {
      // Multiples of the golden ratio are spread evenly between 0 and 1.
      double whole;
      const double phase = std::modf(static_cast<double>(i) * 0.618034, &whole);
      exponent += 2 * kShift * (phase - 0.5);
    }
    sizes.push_back(i == count - 1 ? last : first * std::exp2(exponent));
  }
  return sizes;
}

// Rounds to whole numbers of which no two are the same.
void MakeWhole(std::vector<double>* sizes) {
  const size_t count = sizes->size();
  for (size_t i = 1; i + 1 < count; ++i) {
    const double room = sizes->back() - static_cast<double>(count - 1 - i);
    (*sizes)[i] = std::clamp(std::round((*sizes)[i]), (*sizes)[i - 1] + 1, room);
  }
}

// "1..1000:7"
absl::StatusOr<std::vector<std::string>> ExpandRange(absl::string_view word,
                                                     size_t dots) {
  const absl::string_view rest = word.substr(dots + 2);
  const size_t colon = rest.find(':');
  const absl::StatusOr<std::string> first = ExpandSize(word.substr(0, dots));
  if (!first.ok()) return BadSize(word);
  const absl::StatusOr<std::string> last = ExpandSize(rest.substr(0, colon));
  if (!last.ok()) return BadSize(word);
  uint64_t count = kDefaultCount;
  if (colon != absl::string_view::npos &&
      (!absl::SimpleAtoi(rest.substr(colon + 1), &count) || count < 2 ||
       count > kMostSizes)) {
    return UsageError(absl::StrCat("\"", word, "\": a range has 2 to ", kMostSizes,
                                   " sizes, not \"", rest.substr(colon + 1), "\""));
  }
  const double low = SizeValue(*first), high = SizeValue(*last);
  if (low >= high) {
    return UsageError(absl::StrCat(
        "\"", word, "\": a range goes from the smaller to the larger"));
  }
  std::vector<double> values = Geometric(low, high, count);
  if (IsWhole(low) && IsWhole(high)) {
    if (high - low + 1 < static_cast<double>(count)) {
      return UsageError(absl::StrCat("\"", word, "\": there are no ", count,
                                     " whole numbers from ", *first, " to ",
                                     *last));
    }
    MakeWhole(&values);
  }
  std::vector<std::string> sizes = {*first};
  for (size_t i = 1; i + 1 < count; ++i) sizes.push_back(PlainNumber(values[i]));
  sizes.push_back(*last);
  return sizes;
}

}  // namespace

bool IsParameterName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
           c == '-';
  });
}

absl::StatusOr<std::pair<std::string, std::vector<std::string>>> ParseParameter(
    absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals + 1 == text.size()) {
    return UsageError(absl::StrCat(
        "--param takes NAME=SIZES, such as n=10,100,1k, not \"", text, "\""));
  }
  const absl::string_view name = text.substr(0, equals);
  if (!IsParameterName(name)) {
    return UsageError(absl::StrCat("\"", name,
                                   "\" cannot name a parameter: letters",
                                   ", digits, _ and - can"));
  }
  return std::pair<std::string, std::vector<std::string>>(
      name, absl::StrSplit(text.substr(equals + 1), ','));
}

absl::StatusOr<std::vector<std::string>> ExpandSizes(
    const std::vector<std::string>& words) {
  std::vector<std::string> sizes;
  for (const std::string& written : words) {
    const absl::string_view word = absl::StripAsciiWhitespace(written);
    const size_t dots = word.find("..");
    if (dots == absl::string_view::npos) {
      absl::StatusOr<std::string> size = ExpandSize(word);
      if (!size.ok()) return size.status();
      sizes.push_back(*std::move(size));
      continue;
    }
    const absl::StatusOr<std::vector<std::string>> range = ExpandRange(word, dots);
    if (!range.ok()) return range.status();
    sizes.insert(sizes.end(), range->begin(), range->end());
  }
  if (sizes.empty()) return UsageError("no sizes are given");
  std::stable_sort(sizes.begin(), sizes.end(),
                   [](const std::string& a, const std::string& b) {
                     return SizeValue(a) < SizeValue(b);
                   });
  for (size_t i = 1; i < sizes.size(); ++i) {
    if (SizeValue(sizes[i]) == SizeValue(sizes[i - 1])) {
      return UsageError(absl::StrCat("the size ", sizes[i], " is given twice; ",
                                     "--reps runs every size several times"));
    }
  }
  if (sizes.size() > kMostSizes) {
    return UsageError(
        absl::StrCat(sizes.size(), " sizes are more than ", kMostSizes));
  }
  return sizes;
}

double SizeValue(absl::string_view size) {
  double value = 0;
  [[maybe_unused]] const bool number = absl::SimpleAtod(size, &value);
  return value;
}

}  // namespace mallogram
