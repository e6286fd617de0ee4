#include "analyzer/study/spec/units.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "analyzer/command/format.h"

namespace mallogram::study {

std::string FormatSignedBytes(double bytes) {
  if (!std::isfinite(bytes)) return "-";
  const double size = std::fabs(bytes);
  const char* const sign = bytes < 0 && size >= 0.5 ? "-" : "";
  // Bytes a unit come in fractions; whole ones are written whole.
  if (size < 99.5 && size != std::floor(size))
    return absl::StrFormat("%s%.3g B", sign, size);
  return absl::StrCat(
      sign, FormatBytes(static_cast<uint64_t>(std::llround(std::min(size, 9e18)))));
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
