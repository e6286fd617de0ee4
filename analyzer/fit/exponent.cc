#include "analyzer/fit/exponent.h"

#include <algorithm>
#include <cmath>

#include "analyzer/fit/covariance.h"
#include "analyzer/fit/distributions.h"
#include "analyzer/fit/laws.h"

namespace mallogram::fit {
namespace {

constexpr double kLowestExponent = 0.02, kHighestExponent = 4;
constexpr double kCloseScores = 6;

Exponent PureExponent(const Sample& sample, const Law& law) {
  double w = 0, wx = 0, xx = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    w += sample.weight[i];
    wx += sample.weight[i] * sample.ln_n[i];
  }
  for (size_t i = 0; i < sample.size(); ++i) {
    const double x = sample.ln_n[i] - wx / w;
    xx += sample.weight[i] * x * x;
  }
  const double freedom = std::max(1.0, static_cast<double>(sample.size()) - 2);
  const double sigma = std::max(ResidualSd(sample, law), sample.s0);
  const double half = StudentTQuantile(0.975, freedom) * sigma / std::sqrt(xx);
  return {law.c, law.c - half, law.c + half};
}

const Law* FindPower(const Family& family, bool with_constant) {
  for (const Law& law : family.laws) {
    if (law.form == Form::kPower && law.with_constant == with_constant) return &law;
  }
  return nullptr;
}

}  // namespace

Exponent ProfileExponent(const Sample& sample, const Law& law) {
  const double freedom = std::max(1.0, static_cast<double>(sample.size()) - 3);
  const double variance = std::max(law.rss / freedom, sample.s0 * sample.s0);
  const double limit = law.rss + variance * FisherFQuantile(0.95, 1, freedom);
  const auto edge = [&](double outside) {
    double inside = law.c;
    if (FitOffsetPower(sample, outside).rss <= limit) return outside;
    for (int step = 0; step < 10; ++step) {
      const double middle = (inside + outside) / 2;
      (FitOffsetPower(sample, middle).rss <= limit ? inside : outside) = middle;
    }
    return (inside + outside) / 2;
  };
  return {law.c, edge(kLowestExponent), edge(std::max(kHighestExponent, law.c))};
}

Exponent FitExponent(const Sample& sample, const Family& family, const Law& law) {
  const Law* pure = FindPower(family, false);
  const Law* offset = FindPower(family, true);
  Exponent result{AsymptoticExponent(law), 0, 0};
  const bool use_pure =
      pure != nullptr &&
      (offset == nullptr || pure->score < offset->score + kCloseScores);
  const bool use_offset =
      offset != nullptr &&
      (pure == nullptr || offset->score < pure->score + kCloseScores);
  result.low = result.high = result.value;
  const auto include = [&result](const Exponent& other) {
    result.low = std::min(result.low, other.low);
    result.high = std::max(result.high, other.high);
  };
  if (use_pure) include(PureExponent(sample, *pure));
  if (use_offset) include(ProfileExponent(sample, *offset));
  return result;
}

}  // namespace mallogram::fit
