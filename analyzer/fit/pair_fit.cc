#include "analyzer/fit/pair_fit.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace mallogram::fit {
namespace {

constexpr int kMaxSteps = 25, kMaxHalvings = 12;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// f and the residuals ln y - ln f at every size: logarithms are what a fit costs,
// so they are taken once a trial.
struct Trial {
  std::vector<double> f, e;
  explicit Trial(size_t size) : f(size), e(size) {}

  double Rss(const Sample& sample, const Column& u, const Column& g, double a,
             double b) {
    double rss = 0;
    for (size_t i = 0; i < sample.size(); ++i) {
      f[i] = a * u[i] + b * g[i];
      if (!(f[i] > 0)) return kInfinity;
      e[i] = sample.ln_y[i] - std::log(f[i]);
      rss += sample.weight[i] * e[i] * e[i];
    }
    return rss;
  }
};

// Normal equations of min Σ w (t - da·u - db·g)².
struct Normal {
  double uu = 0, ug = 0, gg = 0, ut = 0, gt = 0;

  void Add(double w, double u, double g, double t) {
    uu += w * u * u;
    ug += w * u * g;
    gg += w * g * g;
    ut += w * u * t;
    gt += w * g * t;
  }
  bool Solve(double* a, double* b) const {
    const double det = uu * gg - ug * ug;
    if (!(det > 1e-13 * uu * gg)) return false;
    *a = (ut * gg - gt * ug) / det;
    *b = (gt * uu - ut * ug) / det;
    return true;
  }
};

}  // namespace

PairFit FitScale(const Sample& sample, const Column& g) {
  double sum = 0, weights = 0, squares = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    if (!(g[i] > 0)) return {};
    const double e = sample.ln_y[i] - std::log(g[i]);
    sum += sample.weight[i] * e;
    weights += sample.weight[i];
    squares += sample.weight[i] * e * e;
  }
  const double mean = sum / weights;
  return {0, std::exp(mean), std::max(0.0, squares - mean * sum), false};
}

PairFit FitPair(const Sample& sample, const Column& u, const Column& g,
                double a_min) {
  Normal start;
  for (size_t i = 0; i < sample.size(); ++i) {
    const double y = sample.y[i];
    start.Add(sample.weight[i], u[i] / y, g[i] / y, 1);
  }
  PairFit fit;
  if (!start.Solve(&fit.a, &fit.b)) return {};
  if (fit.a < a_min) {
    fit.a = a_min;
    fit.b = (start.gt - fit.a * start.ug) / start.gg;
    fit.on_bound = true;
  }
  if (!(fit.b > 0)) return {};
  Trial now(sample.size()), next(sample.size());
  fit.rss = now.Rss(sample, u, g, fit.a, fit.b);
  if (!fit.ok()) {  // a too low for the smallest size: begin at the bend
    fit.a = std::max(a_min, 0.0);
    fit.rss = now.Rss(sample, u, g, fit.a, fit.b);
    if (!fit.ok()) return {};
  }
  // Where a step changes nothing that the score can see.
  const double noise = 2 * sample.s0 * sample.s0;
  for (int step = 0; step < kMaxSteps; ++step) {
    Normal normal;
    for (size_t i = 0; i < sample.size(); ++i) {
      normal.Add(sample.weight[i], u[i] / now.f[i], g[i] / now.f[i], now.e[i]);
    }
    double da = 0, db = 0;
    if (!normal.Solve(&da, &db)) break;
    if (fit.a + da < a_min) {
      da = a_min - fit.a;
      db = (normal.gt - da * normal.ug) / normal.gg;
    }
    const double before = fit.rss;
    double scale = 1;
    for (int halving = 0; halving < kMaxHalvings; ++halving, scale /= 2) {
      const double a = fit.a + scale * da, b = fit.b + scale * db;
      const double rss = b > 0 ? next.Rss(sample, u, g, a, b) : kInfinity;
      if (rss < fit.rss) {
        fit = {a, b, rss, a <= a_min};
        std::swap(now, next);
        break;
      }
    }
    if (!(before - fit.rss > 1e-5 * (noise + fit.rss))) break;
  }
  return fit;
}

}  // namespace mallogram::fit
