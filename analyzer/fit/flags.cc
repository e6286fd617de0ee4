#include "analyzer/fit/flags.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "analyzer/fit/covariance.h"
#include "analyzer/fit/distributions.h"
#include "analyzer/fit/regression.h"

namespace mallogram::fit {
namespace {

constexpr double kSmall = 0.01, kScatter = 0.02, kScatterRatio = 10;
constexpr size_t kOutlierSizes = 7;

}  // namespace

double KendallTau(const Sample& sample) {
  double score = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    for (size_t j = i + 1; j < sample.size(); ++j) {
      score += sample.y[j] > sample.y[i] ? 1 : sample.y[j] < sample.y[i] ? -1 : 0;
    }
  }
  const double n = static_cast<double>(sample.size());
  return score / (n * (n - 1) / 2);
}

bool IsDecreasing(const Sample& sample) {
  const double fall = sample.ln_y.front() - sample.ln_y.back();
  return fall > std::max(kSmall, 3 * sample.s0) && KendallTau(sample) <= -0.8;
}

int CountFalls(const Sample& sample, double share) {
  int falls = 0;
  for (size_t i = 0; i + 1 < sample.size(); ++i) {
    if (sample.y[i + 1] < (1 - share) * sample.y[i]) ++falls;
  }
  return falls;
}

bool IsErratic(const Series& series, const Law& best) {
  if (!series.cv.has_value()) return false;
  const double sd = ResidualSd(series.positive, best);
  return sd > kScatter && sd > kScatterRatio * *series.cv &&
         CountFalls(series.positive, kSmall) >= 2;
}

std::optional<Outlier> FindOutlier(const Sample& sample, const Law& law) {
  const size_t n = sample.size();
  if (n < kOutlierSizes) return std::nullopt;
  const LawCovariance covariance(sample, law);
  const double freedom = static_cast<double>(n) - law.parameters - 1;
  if (freedom < 1) return std::nullopt;
  std::optional<Outlier> worst;
  for (size_t i = 0; i < n; ++i) {
    const double e = std::sqrt(sample.weight[i]) *
                     (sample.ln_y[i] - std::log(Value(law, sample.n[i])));
    const double rest = 1 - covariance.Leverage(i);
    if (rest < 1e-6) continue;
    const double variance =
        std::max((law.rss - e * e / rest) / freedom, sample.s0 * sample.s0);
    const double t = e / std::sqrt(variance * rest);
    if (!worst.has_value() || std::fabs(t) > std::fabs(worst->t))
      worst = Outlier{i, t};
  }
  const double limit =
      StudentTQuantile(1 - 0.05 / (2 * static_cast<double>(n)), freedom);
  if (worst.has_value() && std::fabs(worst->t) <= limit) worst.reset();
  return worst;
}

std::optional<LackOfFit> TestLackOfFit(const Series& series, const Law& law) {
  if (series.pure_df == 0) return std::nullopt;
  const Sample& sample = series.positive;
  const double lof_df = static_cast<double>(sample.size()) - law.parameters;
  if (lof_df < 1) return std::nullopt;
  double squares = 0;
  size_t i = 0;
  for (const SizeStats& size : series.sizes) {
    if (size.median <= 0) continue;
    const double e = std::log(size.mean / Value(law, size.n));
    squares += static_cast<double>(size.replicates) * sample.weight[i++] * e * e;
  }
  // Replicates that are equal to the byte still have the rounding between them.
  const double quantum = series.quantum / sample.min_y;
  const double pure_df = static_cast<double>(series.pure_df);
  const double pure = std::max(series.pure_ss / pure_df, quantum * quantum / 12);
  LackOfFit test;
  test.f = squares / lof_df / std::max(pure, 1e-30);
  test.p_value = FisherFUpper(test.f, lof_df, pure_df);
  test.significant = test.p_value < 0.01 && ResidualSd(sample, law) > kScatter;
  return test;
}

double GrowthAtMost(const Sample& sample) {
  double most = 0;
  const double n_min = sample.MinN(), n_max = sample.MaxN();
  for (bool logarithmic : {true, false}) {
    std::vector<double> g;
    for (double n : sample.n) {
      g.push_back(logarithmic ? std::log(n / n_min) / std::log(n_max / n_min)
                              : (n - n_min) / (n_max - n_min));
    }
    const LineFit line = FitLine(g, sample.ln_y, sample.weight);
    double w = 0, wg = 0, wgg = 0;
    for (size_t i = 0; i < g.size(); ++i) {
      w += sample.weight[i];
      wg += sample.weight[i] * g[i];
      wgg += sample.weight[i] * g[i] * g[i];
    }
    const double sd = std::max(line.residual_sd, sample.s0);
    const double half =
        StudentTQuantile(0.975, line.freedom) * sd / std::sqrt(wgg - wg * wg / w);
    most = std::max(most, std::expm1(line.slope.value + half));
  }
  return most;
}

std::optional<double> FindDrift(const Sample& sample, const Law& law) {
  const bool line = law.form == Form::kBasis && law.basis == Basis::kLinear;
  if (!line || law.with_constant || sample.size() < 4) return std::nullopt;
  std::vector<double> each;
  for (size_t i = 0; i < sample.size(); ++i)
    each.push_back(sample.y[i] / sample.n[i]);
  const LineFit drift = FitLine(sample.n, each);
  const double change = drift.At(sample.MaxN()) / drift.At(sample.MinN()) - 1;
  if (drift.p_value >= 0.01 || std::fabs(change) < kSmall) return std::nullopt;
  return change;
}

}  // namespace mallogram::fit
