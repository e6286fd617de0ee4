#include "analyzer/fit/family.h"

#include <algorithm>
#include <cmath>

#include "analyzer/fit/laws.h"

namespace mallogram::fit {
namespace {

// A prior on the residual variance: this many degrees of freedom at s0. Keeps
// noise-free data finite, and the AICc defined down to four sizes.
constexpr double kPriorFreedom = 2;

// AICc with a prior on sigma: Hurvich and Tsai 1989, of N + 2 points.
double Score(const Sample& sample, const Law& law) {
  const double n = static_cast<double>(sample.size()) + kPriorFreedom;
  const double variance = (kPriorFreedom * sample.s0 * sample.s0 + law.rss) / n;
  const double k = law.parameters + 1;  // and sigma
  const double penalty = 2 * k + 2 * k * (k + 1) / std::max(n - k - 1, 0.5);
  return n * std::log(variance) + penalty + law.prior;
}

Growth GrowthOf(const Sample& sample, const Law& law) {
  double low = Value(law, sample.n[0]), high = low;
  for (double n : sample.n) {
    const double f = Value(law, n);
    low = std::min(low, f);
    high = std::max(high, f);
  }
  if (low > 0 && high / low - 1 < kMaterialGrowth) return Growth::kConstant;
  switch (law.form) {
    case Form::kConstant:
      return Growth::kConstant;
    case Form::kPower:
      return GrowthOfPower(law.c);
    case Form::kMix:
      return Growth::kQuadratic;
    case Form::kShiftedLog:
      return Growth::kLinearithmic;
    case Form::kSteps:
    case Form::kFrom:
    case Form::kThreshold:
      return Growth::kLinear;
    case Form::kBounded:
      return Growth::kBounded;
    case Form::kBasis: {
      constexpr Growth kOfBasis[kBases] = {
          Growth::kLogarithmic,   Growth::kSublinear,   Growth::kLinear,
          Growth::kLinearithmic,  Growth::kSuperlinear, Growth::kQuadratic,
          Growth::kSuperquadratic};
      return kOfBasis[static_cast<size_t>(law.basis)];
    }
  }
  return Growth::kConstant;
}

}  // namespace

Growth Family::LeadingGrowth() const {
  return static_cast<Growth>(std::max_element(weights.begin(), weights.end()) -
                             weights.begin());
}

const Law& Family::BestOf(Growth growth) const {
  for (const Law& law : laws) {
    if (law.growth == growth) return law;
  }
  return laws.front();
}

Family CompareLaws(const Sample& sample, std::vector<Law> laws) {
  for (Law& law : laws) {
    law.score = Score(sample, law);
    law.growth = GrowthOf(sample, law);
  }
  std::stable_sort(laws.begin(), laws.end(),
                   [](const Law& a, const Law& b) { return a.score < b.score; });
  Family family;
  double sum = 0;
  for (Law& law : laws) {
    law.weight = std::exp((laws.front().score - law.score) / 2);
    sum += law.weight;
  }
  for (Law& law : laws) {
    law.weight /= sum;
    family.weights[static_cast<size_t>(law.growth)] += law.weight;
  }
  family.laws = std::move(laws);
  return family;
}

Family FitFamily(const Sample& sample) {
  std::vector<Law> laws;
  laws.reserve(40);
  FitBases(sample, &laws);
  FitPowers(sample, &laws);
  FitMixes(sample, &laws);
  FitSteps(sample, &laws);
  FitKnees(sample, &laws);
  FitThreshold(sample, &laws);
  return CompareLaws(sample, std::move(laws));
}

}  // namespace mallogram::fit
