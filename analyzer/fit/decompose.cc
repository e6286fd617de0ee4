#include "analyzer/fit/decompose.h"

#include <algorithm>
#include <cmath>

namespace mallogram::fit {
namespace {

// Not clamped: a bound would break the sum.
SiteTerm FitTerm(absl::Span<const double> n, absl::Span<const double> weights,
                 absl::Span<const double> y, double exponent) {
  double w = 0, wg = 0, wy = 0;
  std::vector<double> g;
  for (size_t i = 0; i < n.size(); ++i) {
    g.push_back(std::pow(n[i], exponent));
    w += weights[i];
    wg += weights[i] * g[i];
    wy += weights[i] * y[i];
  }
  const double g_mean = wg / w, y_mean = wy / w;
  double gg = 0, gy = 0;
  for (size_t i = 0; i < n.size(); ++i) {
    gg += weights[i] * (g[i] - g_mean) * (g[i] - g_mean);
    gy += weights[i] * (g[i] - g_mean) * (y[i] - y_mean);
  }
  const double factor = gg > 0 ? gy / gg : 0;
  return {y_mean - factor * g_mean, factor, exponent};
}

}  // namespace

Decomposition Decompose(absl::Span<const double> n,
                        absl::Span<const double> program,
                        absl::Span<const SiteSeries> sites) {
  Decomposition result;
  std::vector<double> weights, remainder(program.begin(), program.end());
  for (double total : program) weights.push_back(1 / (total * total));
  double steep_constants = 0;
  for (const SiteSeries& site : sites) {
    for (size_t i = 0; i < n.size(); ++i) remainder[i] -= site.bytes[i];
    const SiteTerm term =
        FitTerm(n, weights, site.bytes, site.steep ? site.exponent : 1);
    result.sites.push_back(term);
    if (site.steep) {
      steep_constants += term.constant;
    } else {
      result.constant += term.constant;
      result.linear += term.factor;
    }
  }
  result.remainder = FitTerm(n, weights, remainder, 1);
  for (size_t i = 0; i < n.size(); ++i) {
    result.largest_remainder =
        std::max(result.largest_remainder, std::fabs(remainder[i]) / program[i]);
  }
  const auto steep = [&](double size) {
    double sum = 0;
    for (size_t s = 0; s < sites.size(); ++s) {
      if (!sites[s].steep) continue;
      sum += result.sites[s].factor * std::pow(size, result.sites[s].exponent);
    }
    return sum;
  };
  const double constant =
      result.constant + steep_constants + result.remainder.constant;
  const double linear = result.linear + result.remainder.factor;
  const auto rest = [&](double size) { return constant + linear * size; };

  const double top = *std::max_element(n.begin(), n.end());
  using Term = Decomposition::Term;
  result.dominant = constant >= linear * top ? Term::kConstant : Term::kLinear;
  if (steep(top) > std::max(constant, linear * top)) result.dominant = Term::kSteep;
  double low = *std::min_element(n.begin(), n.end()), high = top * 1e6;
  if (steep(high) > rest(high) && steep(low) < rest(low)) {
    while (high / low > 1 + 1e-9) {
      const double middle = std::sqrt(low * high);
      (steep(middle) > rest(middle) ? high : low) = middle;
    }
    result.crossover = high;
  }
  return result;
}

}  // namespace mallogram::fit
