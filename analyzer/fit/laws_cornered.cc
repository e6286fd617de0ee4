// Laws with corners: containers that grow by a factor, limits, thresholds.
#include <algorithm>
#include <cmath>
#include <functional>

#include "analyzer/fit/laws.h"
#include "analyzer/fit/search.h"

namespace mallogram::fit {
namespace {

constexpr size_t kMaxPhases = 12, kMaxKnees = 24;

// The values of ⌈log_r n - φ⌉ at the data change only where φ passes the fractional
// part of some log_r n: so many phases need trying, and no more.
std::vector<double> Phases(const Sample& sample, double ratio) {
  std::vector<double> phases;
  for (double ln_n : sample.ln_n) {
    const double level = ln_n / std::log(ratio);
    double phase = level - std::floor(level);
    if (phase > 1 - 1e-7) phase = 0;
    phases.push_back(phase);
  }
  std::sort(phases.begin(), phases.end());
  phases.erase(std::unique(phases.begin(), phases.end(),
                           [](double a, double b) { return b - a < 1e-7; }),
               phases.end());
  if (phases.size() <= kMaxPhases) return phases;
  std::vector<double> some;
  for (size_t i = 0; i < kMaxPhases; ++i) {
    some.push_back(phases[i * phases.size() / kMaxPhases]);
  }
  return some;
}

struct StepFit {
  PairFit pair;
  double phase = 0, phase_high = 0;
};

void KeepBest(const PairFit& fit, double phase, double next, StepFit* best) {
  if (fit.rss < best->pair.rss) *best = {fit, phase, next};
}

void FitStepsOf(const Sample& sample, double ratio, std::vector<Law>* laws) {
  const std::vector<double> phases = Phases(sample, ratio);
  // Sizes all on one phase see a line, and a line is the simpler law.
  if (phases.size() < 2) return;
  const Column ones(sample.size(), 1.0);
  StepFit alone, offset, with_line;
  Column g(sample.size());
  for (size_t k = 0; k < phases.size(); ++k) {
    const double phase = phases[k];
    const double next = k + 1 < phases.size() ? phases[k + 1] : phases[0] + 1;
    for (size_t i = 0; i < g.size(); ++i) {
      const double level = sample.ln_n[i] / std::log(ratio);
      g[i] = std::pow(ratio, std::ceil(level - phase - 1e-6));
    }
    KeepBest(FitScale(sample, g), phase, next, &alone);
    KeepBest(FitPair(sample, ones, g, LowestConstant(sample)), phase, next,
             &offset);
    KeepBest(FitPair(sample, sample.n, g, 0), phase, next, &with_line);
  }
  Law law;
  law.form = Form::kSteps;
  law.ratio = ratio;
  const auto add = [&](StepFit fit, int parameters, double prior) {
    law.parameters = parameters;
    law.prior = prior;
    law.c = fit.phase;
    law.c_high = fit.phase_high;
    AddLaw(fit.pair, law, laws);
  };
  const double prior = ratio == 2 ? kPriorSteps : kPriorFineSteps;
  add(alone, 2, prior);
  law.with_constant = true;
  add(offset, 3, prior);
  law.with_constant = false;
  if (with_line.pair.a > 0) {
    law.d = with_line.pair.a;
    with_line.pair.a = 0;
    with_line.pair.on_bound = false;
    add(with_line, 3, prior - kPriorSteps + kPriorLineAndSteps);
  }
}

// The knee between the sizes left-1 and left, for the `left` where it fits best.
double BestKnee(const Sample& sample, size_t min_left, size_t min_right,
                const std::function<double(double)>& rss) {
  double best = 0, best_rss = std::numeric_limits<double>::infinity();
  size_t best_left = 0;
  // Of a long series some gaps, and the search between them.
  const size_t stride = std::max<size_t>(1, sample.size() / kMaxKnees);
  const size_t last = sample.size() - min_right;
  for (size_t left = min_left; left <= last; left += stride) {
    const double low = sample.n[left - 1], high = sample.n[left];
    for (double knee : {low, std::sqrt(low * high)}) {
      const double value = rss(knee);
      if (value < best_rss) {
        best_rss = value;
        best = knee;
        best_left = left;
      }
    }
  }
  if (best_left == 0) return 0;
  // The optimum may be on either side of a best knee that is a size itself.
  size_t from = best_left - 1;
  if (best == sample.n[from]) {
    from = from >= min_left - 1 + stride ? from - stride : min_left - 1;
  }
  const size_t to = std::min(best_left + stride - 1, last);
  return Minimize({sample.n[from], best, sample.n[to]}, rss).first;
}

}  // namespace

void FitSteps(const Sample& sample, std::vector<Law>* laws) {
  FitStepsOf(sample, 2, laws);
  FitStepsOf(sample, 1.5, laws);
}

void FitKnees(const Sample& sample, std::vector<Law>* laws) {
  const Column ones(sample.size(), 1.0);
  Column g(sample.size());
  const auto fit_knee = [&](Law law, const std::function<PairFit(double)>& fit_at) {
    const double knee =
        BestKnee(sample, 2, 2, [&](double k) { return fit_at(k).rss; });
    if (knee <= 0) return;
    law.c = knee;
    AddLaw(fit_at(knee), law, laws);
  };
  const auto set_min = [&](double knee) {
    for (size_t i = 0; i < g.size(); ++i) g[i] = std::min(sample.n[i], knee);
  };
  Law bounded;
  bounded.form = Form::kBounded;
  bounded.parameters = 2;
  bounded.prior = kPriorBounded;
  fit_knee(bounded, [&](double knee) {
    set_min(knee);
    return FitScale(sample, g);
  });
  bounded.with_constant = true;
  bounded.parameters = 3;
  fit_knee(bounded, [&](double knee) {
    set_min(knee);
    return FitPair(sample, ones, g, LowestConstant(sample));
  });
  Law from;
  from.form = Form::kFrom;
  from.with_constant = true;
  from.parameters = 3;
  from.prior = kPriorFrom;
  fit_knee(from, [&](double knee) {
    for (size_t i = 0; i < g.size(); ++i) g[i] = std::max(0.0, sample.n[i] - knee);
    return FitPair(sample, ones, g, 0);
  });
}

void FitThreshold(const Sample& sample, std::vector<Law>* laws) {
  if (!(sample.last_zero > 0)) return;
  Column g(sample.size());
  const auto fit_at = [&](double start) {
    for (size_t i = 0; i < g.size(); ++i) g[i] = sample.n[i] - start;
    return FitScale(sample, g);
  };
  const double low = sample.last_zero, high = sample.MinN();
  Law law;
  law.form = Form::kThreshold;
  law.parameters = 2;
  law.c = Minimize({low, low + (high - low) / 2, low + (high - low) * 0.999},
                   [&](double start) { return fit_at(start).rss; })
              .first;
  AddLaw(fit_at(law.c), law, laws);
}

}  // namespace mallogram::fit
