#include "analyzer/recording/estimate.h"

#include <algorithm>
#include <cmath>

#include "analyzer/fit/distributions.h"

namespace mallogram {
namespace {

// Of the gamma distribution with this mean and variance.
double Quantile(double p, double mean, double variance) {
  if (!(mean > 0)) return 0;
  const double shape = mean * mean / variance;
  // The search for the quantile would take longer and longer. No sum of blocks has
  // less than 1 but that of none of large blocks: nearly all of it is at 0. And
  // with so many blocks the distribution is normal to six digits (Wilson and
  // Hilferty).
  constexpr double kLeast = 0.01, kMost = 1e7;
  if (!(shape >= kLeast)) return 0;
  if (!(shape <= kMost)) {
    return std::max(0.0, mean * (1 + fit::NormalQuantile(p) / std::sqrt(shape)));
  }
  return fit::GammaQuantile(p, shape, mean / shape);
}

Interval Outwards(double low, double high) {
  constexpr double kMost = 9e18;  // damaged input may make sums of any size
  return {static_cast<uint64_t>(std::floor(std::min(low, kMost))),
          static_cast<uint64_t>(std::ceil(std::min(high, kMost)))};
}

// `missed`, `missed_variance`: what one more block adds.
Interval Around(double mean, double variance, double missed,
                double missed_variance) {
  constexpr double kTail = (1 - kConfidence) / 2;
  return Outwards(Quantile(kTail, mean, variance),
                  Quantile(1 - kTail, mean + missed, variance + missed_variance));
}

}  // namespace

Interval BytesInterval(const Estimate& sum, uint64_t interval) {
  const auto missed = static_cast<double>(interval);
  return Around(sum.bytes, sum.bytes_variance, missed, missed * missed);
}

// The blocks that go with one followed one are geometric: one more draw misses
// (1 - p)/p of them on average, with the variance (1 - p)/p^2.
Interval BlocksInterval(const Estimate& sum, uint64_t smallest, uint64_t interval) {
  const double p = SampleProbability(smallest, interval);
  Interval result =
      Around(sum.blocks, sum.blocks_variance, (1 - p) / p, (1 - p) / (p * p));
  // Those that were followed are there for certain.
  result.low = std::max(result.low, sum.samples);
  return result;
}

}  // namespace mallogram
