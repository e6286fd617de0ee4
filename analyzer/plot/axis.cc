#include "analyzer/plot/axis.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "analyzer/plot/text.h"

namespace mallogram::plot {
namespace {

constexpr double kMargin = 0.06;  // of the span, at both ends
constexpr size_t kMostSmallDecades = 6;

// 1,234,567.8 of 1234567.8.
std::string WithSeparators(std::string digits) {
  const size_t start = absl::StartsWith(digits, "-") ? 1 : 0;
  size_t end = digits.find('.');
  if (end == std::string::npos) end = digits.size();
  for (size_t at = end; at > start + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string Decimal(double value, int decimals) {
  std::string digits = absl::StrFormat("%.*f", std::clamp(decimals, 0, 12), value);
  if (digits.find('.') != std::string::npos) {
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
  }
  if (digits == "-0") digits = "0";
  return WithSeparators(std::move(digits));
}

// Decimals that three digits of `value` take, or that `step` takes.
int DecimalsOf(double value, double step) {
  if (step > 0) return static_cast<int>(std::ceil(-std::log10(step) - 1e-9)) + 1;
  if (value == 0) return 0;
  return 2 - static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
}

struct Prefix {
  double scale;
  absl::string_view unit;
};
constexpr Prefix kByteUnits[] = {{1, "B"},    {1e3, "kB"},  {1e6, "MB"},
                                 {1e9, "GB"}, {1e12, "TB"}, {1e15, "PB"}};
constexpr Prefix kPlainUnits[] = {{1, ""}, {1e6, "M"}, {1e9, "G"}, {1e12, "T"}};

std::string Scaled(double value, double step, absl::Span<const Prefix> prefixes) {
  const Prefix* prefix = &prefixes[0];
  for (const Prefix& larger : prefixes) {
    // 999,900 is 1 M at three digits.
    if (std::abs(value) >= larger.scale * (step > 0 ? 1 : 0.9995)) prefix = &larger;
  }
  const std::string digits =
      Decimal(value / prefix->scale,
              DecimalsOf(value / prefix->scale, step / prefix->scale));
  return prefix->unit.empty() ? digits : absl::StrCat(digits, " ", prefix->unit);
}

// 1, 2 or 5 times a power of ten: no more than `most` of them in the span.
double NiceStep(double span, double most) {
  const double raw = span / most;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

using Labeller = std::function<std::string(double value, double step)>;

void LinearTicks(Axis* axis, const Labeller& label) {
  constexpr double kMost = 6;
  const double step = NiceStep(axis->high - axis->low, kMost);
  const double first = std::ceil(axis->low / step - 1e-9);
  for (double i = first; i * step <= axis->high + step * 1e-9; ++i) {
    axis->ticks.push_back({i * step, label(i * step, step)});
  }
}

void LogTicks(Axis* axis, Unit unit) {
  const double decades = std::log10(axis->high / axis->low);
  if (decades < 0.5) {
    LinearTicks(
        axis, [unit](double v, double step) { return NumberText(v, unit, step); });
    return;
  }
  const int skip = std::max(1, static_cast<int>(std::ceil(decades / 10)));
  for (int power = static_cast<int>(std::floor(std::log10(axis->low)));
       power <= static_cast<int>(std::ceil(std::log10(axis->high))); ++power) {
    for (int digit = 1; digit <= 9; ++digit) {
      const double at = digit * std::pow(10, power);
      if (at < axis->low * (1 - 1e-9) || at > axis->high * (1 + 1e-9)) continue;
      const bool labelled = decades < 1.3   ? digit < 4 || digit == 5 || digit == 7
                            : decades < 2.3 ? digit == 1 || digit == 2 || digit == 5
                                            : digit == 1 && power % skip == 0;
      if (digit > 1 && !labelled && decades > kMostSmallDecades) continue;
      axis->ticks.push_back({at, labelled ? NumberText(at, unit) : ""});
    }
  }
}

std::vector<double> Numbers(const std::vector<double>& values, bool positive) {
  std::vector<double> numbers;
  for (double value : values) {
    if (std::isfinite(value) && (!positive || value > 0)) numbers.push_back(value);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Axis Linear(const std::vector<double>& values, bool from_zero,
            const Labeller& label) {
  std::vector<double> numbers = Numbers(values, false);
  if (from_zero || numbers.empty()) numbers.push_back(0);
  std::sort(numbers.begin(), numbers.end());
  Axis axis;
  axis.low = numbers.front();
  axis.high = numbers.back();
  // Noise of a millionth is no mountain range.
  const double largest = std::max(std::abs(axis.low), std::abs(axis.high));
  const double least = largest > 0 ? largest * 0.04 : 1;
  const double missing = std::max(0.0, least - (axis.high - axis.low));
  const bool zero_below = from_zero && axis.low == 0;
  const bool zero_above = from_zero && axis.high == 0 && axis.low < 0;
  axis.low -= zero_below ? 0 : missing / 2;
  axis.high += zero_below ? missing : missing / 2;
  const double margin = kMargin * (axis.high - axis.low);
  if (!zero_below) axis.low -= margin;
  if (!zero_above) axis.high += 1.5 * margin;
  LinearTicks(&axis, label);
  return axis;
}

}  // namespace

double Axis::Place(double value) const {
  if (!log) return (value - low) / (high - low);
  if (value <= 0) return 0;
  return std::log(value / low) / std::log(high / low);
}

double Axis::Clamp(double value) const { return std::clamp(value, low, high); }

std::string NumberText(double value, Unit unit, double step) {
  if (unit == Unit::kBytes) {
    return Scaled(value, step, kByteUnits);
  }
  return Scaled(value, step, kPlainUnits);
}

std::string PercentText(double percent, double step) {
  return absl::StrCat(Decimal(percent, DecimalsOf(percent, step)), " %");
}

std::string SizeText(double n, Unit unit) {
  if (unit == Unit::kBytes || n >= 1e6) return NumberText(n, unit, n * 1e-2);
  return Decimal(n, 4);
}

Axis LogAxis(const std::vector<double>& values, Unit unit, double least_factor) {
  std::vector<double> numbers = Numbers(values, true);
  if (numbers.empty()) numbers = {1, 100};
  Axis axis;
  axis.log = true;
  double low = std::log(numbers.front()), high = std::log(numbers.back());
  const double missing = std::max(0.0, std::log(least_factor) - (high - low));
  low -= missing / 2;
  high += missing / 2;
  const double margin = kMargin * (high - low);
  axis.low = std::exp(low - margin);
  axis.high = std::exp(high + margin);
  LogTicks(&axis, unit);
  return axis;
}

Axis LinearAxis(const std::vector<double>& values, Unit unit, bool from_zero) {
  return Linear(values, from_zero, [unit](double v, double step) {
    return NumberText(v, unit, step);
  });
}

Axis PercentAxis(const std::vector<double>& percents) {
  return Linear(percents, true,
                [](double v, double step) { return PercentText(v, step); });
}

Axis ValueAxis(const std::vector<double>& values, Unit unit) {
  constexpr double kDecade = 10;
  const std::vector<double> all = Numbers(values, false);
  const std::vector<double> positive = Numbers(values, true);
  const bool negative = !all.empty() && all.front() < 0;
  if (!negative && !positive.empty() &&
      positive.back() > kDecade * positive.front()) {
    return LogAxis(values, unit, kDecade);
  }
  return LinearAxis(values, unit, negative || positive.size() < all.size());
}

Axis SlotAxis(const std::vector<double>& sizes, Unit unit, double width) {
  Axis axis;
  axis.low = -0.6;
  axis.high = std::max(0.0, static_cast<double>(sizes.size()) - 1) + 0.6;
  double widest = 0;
  for (double n : sizes) {
    widest = std::max(widest, TextWidth(SizeText(n, unit), kTickSize));
  }
  const double slot = width / (axis.high - axis.low);
  const size_t every =
      static_cast<size_t>(std::max(1.0, std::ceil((widest + 1) / slot)));
  for (size_t i = 0; i < sizes.size(); ++i) {
    axis.ticks.push_back(
        {static_cast<double>(i), i % every == 0 ? SizeText(sizes[i], unit) : ""});
  }
  return axis;
}

}  // namespace mallogram::plot
