#include "analyzer/fit/verdict.h"

#include <algorithm>

#include "analyzer/fit/flags.h"

namespace mallogram::fit {
namespace {

// Tuned on tools/fit_simulation: weights are no probabilities, and the fewer the
// sizes the more they promise.
constexpr double kHighWeight = 0.95, kCertainWeight = 0.975;
constexpr double kLikelyWeight = 0.85, kLikelyWeightOfFew = 0.92;
constexpr size_t kFewSizes = 6;
constexpr double kStable = 0.85;
// One bad largest size must not make a law. Without it the others need not lead to
// the same one (they may know too little), but they must not rule it out.
constexpr double kRuledOut = 0.005;
// A constant is claimed only where this much growth would have been seen: else
// noise hides a line, and the greatest weight is that of the simplest law.
constexpr double kHiddenGrowth = 0.10;

Group LeadingGroup(const GrowthWeights& weights) {
  const GroupWeights sums = SumGroups(weights);
  return static_cast<Group>(std::max_element(sums.begin(), sums.end()) -
                            sums.begin());
}

Growth LeadingGrowth(const GrowthWeights& weights) {
  return static_cast<Growth>(std::max_element(weights.begin(), weights.end()) -
                             weights.begin());
}

struct Evidence {
  double weight = 0, stability = 0, without_largest = 0;
  bool largest_agrees = false;
  size_t sizes = 0;
};

Word WordFor(const Evidence& e) {
  const bool stable = e.stability >= kStable;
  if (e.weight >= kHighWeight && stable && e.largest_agrees) return Word::kHigh;
  if (e.without_largest <= kRuledOut) return Word::kUndetermined;
  const double enough = e.sizes <= kFewSizes ? kLikelyWeightOfFew : kLikelyWeight;
  if (e.weight >= kCertainWeight || (e.weight >= enough && stable))
    return Word::kLikely;
  return Word::kUndetermined;
}

}  // namespace

Refits RefitWithoutOne(const Sample& sample) {
  Refits refits;
  const size_t count = std::min(sample.size(), kMaxRefits);
  for (size_t k = 1; k <= count; ++k) {
    const size_t left_out = k * sample.size() / count - 1;
    refits.push_back(FitFamily(sample.Without(left_out)).weights);
  }
  return refits;
}

Verdict Judge(const Sample& sample, const Family& family, const Refits& refits) {
  Verdict verdict;
  verdict.leading = family.LeadingGrowth();
  double second = -1;
  for (size_t i = 0; i < kGrowthLaws; ++i) {
    const auto growth = static_cast<Growth>(i);
    if (growth == verdict.leading || family.weights[i] <= second) continue;
    second = family.weights[i];
    verdict.second = growth;
  }
  const GroupWeights groups = SumGroups(family.weights);
  verdict.group = LeadingGroup(family.weights);
  const auto growth_index = static_cast<size_t>(verdict.leading);
  const auto group_index = static_cast<size_t>(verdict.group);

  Evidence of_class{family.weights[growth_index], 0, 0, false, sample.size()};
  Evidence of_group{groups[group_index], 0, 0, false, sample.size()};
  const double share = 1 / static_cast<double>(refits.size());
  for (const GrowthWeights& refit : refits) {
    of_class.largest_agrees = LeadingGrowth(refit) == verdict.leading;
    of_group.largest_agrees = LeadingGroup(refit) == verdict.group;
    of_class.stability += of_class.largest_agrees ? share : 0;
    of_group.stability += of_group.largest_agrees ? share : 0;
  }
  of_class.without_largest = refits.back()[growth_index];
  of_group.without_largest = SumGroups(refits.back())[group_index];

  verdict.stability = of_class.stability;
  verdict.largest_agrees = of_class.largest_agrees;
  const bool hidden =
      verdict.leading == Growth::kConstant && GrowthAtMost(sample) > kHiddenGrowth;
  verdict.word = hidden ? Word::kUndetermined : WordFor(of_class);
  if (verdict.word != Word::kUndetermined) {
    verdict.growth = verdict.leading;
    verdict.group = GroupOf(verdict.leading);
    verdict.group_word = verdict.word;
  } else if (!hidden) {
    verdict.group_word = WordFor(of_group);
  }
  return verdict;
}

}  // namespace mallogram::fit
