#include "analyzer/fit/many_sites.h"

#include <algorithm>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>
#include <cmath>
#include <numeric>

#include "analyzer/fit/distributions.h"
#include "analyzer/fit/laws.h"
#include "analyzer/fit/search.h"

namespace mallogram::fit {
namespace {

constexpr double kSteepWeight = 0.95;
constexpr size_t kEnoughSites = 30;
// Scaled by this, the median absolute deviation of a normal variable is its SD.
constexpr double kMadToSd = 1.4826;
constexpr double kMostFreedom = 1e4;

double MedianOf(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The prior of the sites' variances: a scaled inverse chi-square.
struct VariancePrior {
  double variance = 0;
  double freedom = 0;  // 0: sites have nothing in common
};

// By the moments of ln s² (Smyth 2004, section 6.2), from median and median
// absolute deviation: laws that the test does not know (steps, limits) leave large
// residuals that are no noise.
VariancePrior FitPrior(absl::Span<const SuperlinearTest> tests) {
  std::vector<double> logs, freedoms;
  for (const SuperlinearTest& test : tests) {
    if (test.freedom < 1) continue;
    const double variance =
        std::max(test.rss / test.freedom, 1e-3 * test.least_variance);
    const double half = test.freedom / 2;
    logs.push_back(std::log(variance) - boost::math::digamma(half) +
                   std::log(half));
    freedoms.push_back(test.freedom);
  }
  if (logs.size() < kEnoughSites) return {};
  const double center = MedianOf(logs);
  std::vector<double> deviations;
  for (double log : logs) deviations.push_back(std::fabs(log - center));
  const double sd = kMadToSd * MedianOf(deviations);
  const double excess = sd * sd - boost::math::trigamma(MedianOf(freedoms) / 2);
  double half = kMostFreedom / 2;
  if (excess > 0) {  // half = trigamma⁻¹(excess); trigamma falls
    double low = 1e-3, high = half;
    while (high / low > 1 + 1e-6) {
      const double middle = std::sqrt(low * high);
      (boost::math::trigamma(middle) > excess ? low : high) = middle;
    }
    half = low;
  }
  return {std::exp(center + boost::math::digamma(half) - std::log(half)), 2 * half};
}

}  // namespace

double SteepWeight(const GrowthWeights& weights) {
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (SteeperThanLinear(static_cast<Growth>(i))) sum += weights[i];
  }
  return sum;
}

SuperlinearTest TestSuperlinear(const Sample& sample) {
  SuperlinearTest test;
  if (sample.size() < 4) return test;
  // A line that would fall is a constant. Of values that are all the same, rounding
  // decides which powers seem to fall.
  if (sample.min_y == *std::max_element(sample.y.begin(), sample.y.end())) {
    test.freedom = static_cast<double>(sample.size()) - 3;
    test.least_variance = sample.s0 * sample.s0;
    return test;
  }
  const double constant =
      FitScale(sample, std::vector<double>(sample.size(), 1)).rss;
  const double line = std::min(FitOffsetPower(sample, 1).rss, constant);
  static const std::vector<double> kGrid = {1, 1.1, 1.25, 1.5, 1.75,
                                            2, 2.5, 3,    3.5};
  const auto [exponent, rss] =
      Minimize(kGrid, [&](double c) { return FitOffsetPower(sample, c).rss; });
  if (std::isinf(rss)) return test;  // it falls: no law with b > 0
  test.freedom = static_cast<double>(sample.size()) - 3;
  test.least_variance = sample.s0 * sample.s0;
  test.rss = rss;
  test.gain = exponent > 1 ? std::max(0.0, line - rss) : 0;
  return test;
}

double SuperlinearPValue(const SuperlinearTest& test) {
  if (!(test.gain > 0)) return 1;
  const double variance = std::max(test.rss / test.freedom, test.least_variance);
  return FisherFUpper(test.gain / variance, 1, test.freedom) / 2;
}

std::vector<double> SuperlinearPValues(absl::Span<const SuperlinearTest> tests) {
  const VariancePrior prior = FitPrior(tests);
  std::vector<double> p_values;
  for (const SuperlinearTest& test : tests) {
    p_values.push_back(SuperlinearPValue(test));
    if (!(test.gain > 0) || !(prior.freedom > 0)) continue;
    const double own = test.rss / test.freedom;
    // A site whose residuals are beyond the common noise has something else in
    // them.
    if (FisherFUpper(own / prior.variance, test.freedom, prior.freedom) < 0.01)
      continue;
    const double freedom = prior.freedom + test.freedom;
    const double variance = std::max(
        (prior.freedom * prior.variance + test.rss) / freedom, test.least_variance);
    p_values.back() = FisherFUpper(test.gain / variance, 1, freedom) / 2;
  }
  return p_values;
}

std::vector<bool> RejectFalse(absl::Span<const double> p_values, double rate,
                              FalseDiscovery method) {
  const size_t count = p_values.size();
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return p_values[i] < p_values[j]; });
  double share = rate / static_cast<double>(std::max<size_t>(count, 1));
  if (method == FalseDiscovery::kBenjaminiYekutieli) {
    double harmonic = 0;
    for (size_t i = 1; i <= count; ++i) harmonic += 1 / static_cast<double>(i);
    share /= harmonic;
  }
  size_t rejected = 0;
  for (size_t rank = 1; rank <= count; ++rank) {
    if (p_values[order[rank - 1]] <= share * static_cast<double>(rank))
      rejected = rank;
  }
  std::vector<bool> result(count, false);
  for (size_t rank = 0; rank < rejected; ++rank) result[order[rank]] = true;
  return result;
}

std::vector<bool> Alarms(absl::Span<const SiteEvidence> sites, double rate,
                         FalseDiscovery method) {
  std::vector<SuperlinearTest> tests;
  for (const SiteEvidence& site : sites) tests.push_back(site.test);
  std::vector<bool> alarms = RejectFalse(SuperlinearPValues(tests), rate, method);
  for (size_t i = 0; i < sites.size(); ++i) {
    alarms[i] = alarms[i] && sites[i].steep_weight >= kSteepWeight;
  }
  return alarms;
}

}  // namespace mallogram::fit
