#include "analyzer/study/spec/units.h"

#include <cmath>
#include <cstdint>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "analyzer/command/format.h"

namespace mallogram::study {

std::string FormatSi(double bytes) {
  if (!std::isfinite(bytes)) return "-";
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = std::fabs(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  const char* sign = bytes < 0 && value >= 0.5 ? "-" : "";
  if (unit == 0) {
    // Bytes a unit come in fractions; whole ones are written whole.
    const bool whole = value == std::floor(value) || value >= 99.5;
    return absl::StrCat(
        sign,
        whole ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value),
        " B");
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return absl::StrCat(sign, absl::StrFormat("%.*f", decimals, value), " ",
                      kUnits[unit]);
}

std::string FormatNumber(double number) {
  if (std::fabs(number) >= 1000 && std::fabs(number) < 1e15) {
    return absl::StrCat(
        number < 0 ? "-" : "",
        FormatCount(static_cast<uint64_t>(std::llround(std::fabs(number)))));
  }
  return absl::StrFormat("%.4g", number);
}

std::string FormatShare(double share) {
  const double percent = share * 100;
  const double size = std::fabs(percent);
  if (size != 0 && size < 0.01) return percent < 0 ? ">-0.01 %" : "<0.01 %";
  return size < 1 ? absl::StrFormat("%.2f %%", percent)
                  : absl::StrFormat("%.1f %%", percent);
}

std::string FormatSize(double n) {
  if (n == std::floor(n) && n < 1e15) return FormatCount(static_cast<uint64_t>(n));
  return absl::StrFormat("%.6g", n);
}

}  // namespace mallogram::study
