#include "analyzer/leaks/growth/trend.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "analyzer/fit/distributions.h"

namespace mallogram {
namespace {

constexpr size_t kShortest = 6;

// Ranks with ties shared.
std::vector<double> Ranks(const std::vector<double>& y) {
  std::vector<size_t> order(y.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return y[a] < y[b]; });
  std::vector<double> ranks(y.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && y[order[end]] == y[order[i]]) ++end;
    const double rank = static_cast<double>(i + end + 1) / 2;
    for (; i < end; ++i) ranks[order[i]] = rank;
  }
  return ranks;
}

// How many times greater the variance of Kendall's S is than that of a series
// without memory (Hamed and Rao's n/n*): the significant autocorrelations of the
// ranks count. Never below 1.
double MemoryFactor(const std::vector<double>& ranks) {
  const auto n = static_cast<double>(ranks.size());
  const double mean = (n + 1) / 2;
  double variance = 0;
  for (double rank : ranks) variance += (rank - mean) * (rank - mean);
  if (variance == 0) return 1;
  double sum = 0;
  for (size_t lag = 1; lag + 2 < ranks.size(); ++lag) {
    double product = 0;
    for (size_t i = 0; i + lag < ranks.size(); ++i) {
      product += (ranks[i] - mean) * (ranks[i + lag] - mean);
    }
    const double correlation = product / variance;
    if (std::fabs(correlation) < 1.96 / std::sqrt(n)) continue;
    const double left = n - static_cast<double>(lag);
    sum += left * (left - 1) * (left - 2) * correlation;
  }
  return std::max(1.0, 1 + 2 * sum / (n * (n - 1) * (n - 2)));
}

double MedianOfSorted(const std::vector<double>& values) {
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half]
                                : (values[half - 1] + values[half]) / 2;
}

// Of Kendall's S for n values, `y` naming the ties.
double VarianceOfS(absl::Span<const double> y) {
  const auto weigh = [](double n) { return n * (n - 1) * (2 * n + 5); };
  std::vector<double> sorted(y.begin(), y.end());
  std::sort(sorted.begin(), sorted.end());
  double variance = weigh(static_cast<double>(sorted.size()));
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i;
    while (end < sorted.size() && sorted[end] == sorted[i]) ++end;
    variance -= weigh(static_cast<double>(end - i));
    i = end;
  }
  return variance / 18;
}

}  // namespace

Slope TheilSen(absl::Span<const double> x, absl::Span<const double> y) {
  std::vector<double> slopes;
  slopes.reserve(x.size() * x.size() / 2);
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = i + 1; j < x.size(); ++j) {
      if (x[j] > x[i]) slopes.push_back((y[j] - y[i]) / (x[j] - x[i]));
    }
  }
  if (slopes.empty()) return {};
  std::sort(slopes.begin(), slopes.end());
  const double count = static_cast<double>(slopes.size());
  const double reach = 1.96 * std::sqrt(VarianceOfS(x));
  const auto at = [&](double rank) {
    return slopes[static_cast<size_t>(std::clamp(rank, 0.0, count - 1))];
  };
  return {MedianOfSorted(slopes), at(std::floor((count - reach) / 2)),
          at(std::ceil((count + reach) / 2))};
}

double MannKendallRises(absl::Span<const double> y) {
  if (y.size() < kShortest) return 1;
  double s = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    for (size_t j = i + 1; j < y.size(); ++j) s += (y[j] > y[i]) - (y[j] < y[i]);
  }
  if (s <= 0) return 1;
  std::vector<double> place(y.size());
  std::iota(place.begin(), place.end(), 0.0);
  const double slope = TheilSen(place, y).value;
  std::vector<double> rest(y.size());
  for (size_t i = 0; i < y.size(); ++i) rest[i] = y[i] - slope * place[i];
  const double variance = VarianceOfS(y) * MemoryFactor(Ranks(rest));
  if (variance <= 0) return 1;
  return 1 - fit::NormalCdf((s - 1) / std::sqrt(variance));
}

double DriftRises(absl::Span<const double> steps) {
  if (steps.size() < 3) return 1;
  const auto n = static_cast<double>(steps.size());
  const double mean = std::accumulate(steps.begin(), steps.end(), 0.0) / n;
  if (mean <= 0) return 1;
  double squares = 0;
  for (double step : steps) squares += (step - mean) * (step - mean);
  if (squares == 0) return 0;
  const double t = mean / std::sqrt(squares / (n - 1) / n);
  return 1 - fit::StudentTCdf(t, n - 1);
}

double ComesOftener(uint64_t came, uint64_t went) {
  const auto n = static_cast<double>(came + went);
  if (came == 0) return 1;
  if (n > 1000) {
    const double z = (static_cast<double>(came) - 0.5 - n / 2) / std::sqrt(n / 4);
    return 1 - fit::NormalCdf(z);
  }
  double sum = 0;
  for (auto k = static_cast<double>(came); k <= n; ++k) {
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) -
                    std::lgamma(n - k + 1) - n * std::log(2.0));
  }
  return std::min(1.0, sum);
}

}  // namespace mallogram
