// Laws without a corner: bases, powers, linear with quadratic, n·(log n + d).
#include <algorithm>
#include <cmath>

#include "analyzer/fit/laws.h"
#include "analyzer/fit/search.h"

namespace mallogram::fit {
namespace {

Column Ones(const Sample& sample) { return Column(sample.size(), 1.0); }

Column PowerColumn(const Sample& sample, double exponent) {
  Column g(sample.size());
  // Relative to the largest size: n^3.5 of a billion is no number to square.
  for (size_t i = 0; i < g.size(); ++i) {
    g[i] = std::exp(exponent * (sample.ln_n[i] - sample.ln_n.back()));
  }
  return g;
}

// b·n^c: a straight line in logarithms.
void FitPurePower(const Sample& sample, std::vector<Law>* laws) {
  double w = 0, wx = 0, wz = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    w += sample.weight[i];
    wx += sample.weight[i] * sample.ln_n[i];
    wz += sample.weight[i] * sample.ln_y[i];
  }
  const double x_mean = wx / w, z_mean = wz / w;
  double xx = 0, xz = 0, zz = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    const double x = sample.ln_n[i] - x_mean, z = sample.ln_y[i] - z_mean;
    xx += sample.weight[i] * x * x;
    xz += sample.weight[i] * x * z;
    zz += sample.weight[i] * z * z;
  }
  Law law;
  law.form = Form::kPower;
  law.parameters = 2;
  law.prior = kPriorPower;
  law.c = xz / xx;
  if (!(law.c > 0)) return;
  const PairFit fit{0, std::exp(z_mean - law.c * x_mean),
                    std::max(0.0, zz - law.c * xz), false};
  AddLaw(fit, law, laws);
}

void FitShiftedLog(const Sample& sample, std::vector<Law>* laws) {
  const double log_min = sample.ln_n.front(), log_max = sample.ln_n.back();
  Column g(sample.size());
  const auto fit_at = [&](double d) {
    for (size_t i = 0; i < g.size(); ++i) g[i] = sample.n[i] * (sample.ln_n[i] + d);
    return FitScale(sample, g);
  };
  // Below: positive at the smallest size. Above: still told from a line.
  std::vector<double> grid;
  const double low = -0.9 * log_min;
  for (int i = 0; i <= 8; ++i) grid.push_back(low + (log_max - low) * i / 8);
  Law law;
  law.form = Form::kShiftedLog;
  law.parameters = 2;
  law.prior = kPriorPower;
  law.c = Minimize(grid, [&](double d) { return fit_at(d).rss; }).first;
  AddLaw(fit_at(law.c), law, laws);
}

}  // namespace

void AddLaw(const PairFit& fit, Law law, std::vector<Law>* laws) {
  if (!fit.ok()) return;
  law.a = fit.a;
  law.b = fit.b;
  law.rss = fit.rss;
  law.a_on_bound = fit.on_bound;
  laws->push_back(law);
}

void FitBases(const Sample& sample, std::vector<Law>* laws) {
  const Column ones = Ones(sample);
  AddLaw(FitScale(sample, ones), Law(), laws);
  for (size_t k = 0; k < kBases; ++k) {
    const auto basis = static_cast<Basis>(k);
    Column g(sample.size());
    for (size_t i = 0; i < g.size(); ++i) g[i] = BasisValue(basis, sample.n[i]);
    Law law;
    law.form = Form::kBasis;
    law.basis = basis;
    const bool odd =
        basis == Basis::kSqrt || basis == Basis::kPower15 || basis == Basis::kCube;
    law.prior = odd ? kPriorPower : 0;
    AddLaw(FitScale(sample, g), law, laws);
    law.with_constant = true;
    law.parameters = 2;
    // The unit of n and the base are arbitrary, so log n has no zero of its own.
    const double a_min = basis == Basis::kLog ? -1e300 : LowestConstant(sample);
    AddLaw(FitPair(sample, ones, g, a_min), law, laws);
  }
}

PairFit FitOffsetPower(const Sample& sample, double exponent) {
  PairFit fit = FitPair(sample, Ones(sample), PowerColumn(sample, exponent),
                        LowestConstant(sample));
  fit.b *= std::exp(-exponent * sample.ln_n.back());
  return fit;
}

void FitPowers(const Sample& sample, std::vector<Law>* laws) {
  FitPurePower(sample, laws);
  static const std::vector<double> kGrid = {0.05, 0.15, 0.3, 0.45, 0.6, 0.75,
                                            0.9,  1,    1.1, 1.25, 1.5, 1.75,
                                            2,    2.25, 2.6, 3,    3.5};
  const Column ones = Ones(sample);
  Law law;
  law.form = Form::kPower;
  law.with_constant = true;
  law.parameters = 3;
  law.prior = kPriorPower;
  law.c =
      Minimize(kGrid, [&](double c) {
        return FitPair(sample, ones, PowerColumn(sample, c), LowestConstant(sample))
            .rss;
      }).first;
  AddLaw(FitOffsetPower(sample, law.c), law, laws);
  FitShiftedLog(sample, laws);
}

void FitMixes(const Sample& sample, std::vector<Law>* laws) {
  const Column ones = Ones(sample);
  const double top = sample.MaxN();
  Column g(sample.size());
  const auto set_share = [&](double share) {
    for (size_t i = 0; i < g.size(); ++i) {
      const double x = sample.n[i] / top;
      g[i] = (1 - share) * x + share * x * x;
    }
  };
  // The quadratic part of the growth at the largest size.
  static const std::vector<double> kShares = {0.1,  0.2, 0.35, 0.5,
                                              0.65, 0.8, 0.9,  0.97};
  for (bool with_constant : {false, true}) {
    const auto fit_at = [&](double share) {
      set_share(share);
      return with_constant ? FitPair(sample, ones, g, LowestConstant(sample))
                           : FitScale(sample, g);
    };
    Law law;
    law.form = Form::kMix;
    law.with_constant = with_constant;
    law.parameters = with_constant ? 3 : 2;
    law.prior = kPriorMix;
    const double share =
        Minimize(kShares, [&](double s) { return fit_at(s).rss; }).first;
    PairFit fit = fit_at(share);
    law.c = fit.b * share / (top * top);
    fit.b *= (1 - share) / top;
    AddLaw(fit, law, laws);
  }
}

}  // namespace mallogram::fit
