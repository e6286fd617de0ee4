#include "analyzer/fit/regression.h"

#include <cmath>
#include <limits>

#include "analyzer/fit/distributions.h"

namespace mallogram::fit {
namespace {

Interval Around(double value, double error, double freedom) {
  const double half = StudentTQuantile(0.975, freedom) * error;
  return {value, value - half, value + half};
}

std::vector<double> Logs(absl::Span<const double> values) {
  std::vector<double> logs;
  for (double value : values) logs.push_back(std::log(value));
  return logs;
}

}  // namespace

LineFit FitLine(absl::Span<const double> x, absl::Span<const double> y,
                absl::Span<const double> weights) {
  double w = 0, wx = 0, wy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    w += weights[i];
    wx += weights[i] * x[i];
    wy += weights[i] * y[i];
  }
  const double x_mean = wx / w, y_mean = wy / w;
  double xx = 0, xy = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - x_mean, dy = y[i] - y_mean;
    xx += weights[i] * dx * dx;
    xy += weights[i] * dx * dy;
    yy += weights[i] * dy * dy;
  }
  LineFit fit;
  fit.freedom = static_cast<double>(x.size()) - 2;
  const double slope = xy / xx, intercept = y_mean - slope * x_mean;
  for (size_t i = 0; i < x.size(); ++i) {
    const double e = y[i] - intercept - slope * x[i];
    fit.rss += weights[i] * e * e;
  }
  const double variance = fit.rss / fit.freedom;
  fit.residual_sd = std::sqrt(variance);
  fit.var_slope = variance / xx;
  fit.var_intercept = variance * (1 / w + x_mean * x_mean / xx);
  fit.covariance = -variance * x_mean / xx;
  fit.slope = Around(slope, std::sqrt(fit.var_slope), fit.freedom);
  fit.intercept = Around(intercept, std::sqrt(fit.var_intercept), fit.freedom);
  fit.r_squared = yy > 0 ? 1 - fit.rss / yy : 0;
  // All points on a level line are no evidence of a slope.
  if (slope != 0) {
    const double t = std::fabs(slope) / std::sqrt(fit.var_slope);
    fit.p_value = 2 * StudentTCdf(-t, fit.freedom);
  }
  return fit;
}

LineFit FitLine(absl::Span<const double> x, absl::Span<const double> y) {
  return FitLine(x, y, std::vector<double>(x.size(), 1.0));
}

Interval LineFit::PredictionAt(double x, double weight) const {
  const double of_line = var_intercept + 2 * x * covariance + x * x * var_slope;
  const double variance = of_line + residual_sd * residual_sd / weight;
  return Around(At(x), std::sqrt(variance), freedom);
}

LineFit FitRelativeLine(absl::Span<const double> x, absl::Span<const double> y) {
  std::vector<double> weights;
  for (double value : y) weights.push_back(1 / (value * value));
  return FitLine(x, y, weights);
}

Interval RelativePrediction(const LineFit& fit, double x) {
  const double value = fit.At(x);
  return fit.PredictionAt(x, 1 / (value * value));
}

double LargestWithin(const LineFit& relative_fit, double budget) {
  const auto upper = [&](double x) {
    return RelativePrediction(relative_fit, x).high;
  };
  double low = 0, high = 1;
  while (upper(high) <= budget && high < 1e18) {
    low = high;
    high *= 2;
  }
  for (int step = 0; step < 100; ++step) {
    const double middle = (low + high) / 2;
    (upper(middle) <= budget ? low : high) = middle;
  }
  return low;
}

LineFit FitLogLog(absl::Span<const double> n, absl::Span<const double> y) {
  return FitLine(Logs(n), Logs(y));
}

double PlainAicc(double rss, size_t points, int parameters) {
  const double n = static_cast<double>(points), k = parameters + 1;
  if (n - k - 1 <= 0) return std::numeric_limits<double>::infinity();
  return n * std::log(rss / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1);
}

}  // namespace mallogram::fit
