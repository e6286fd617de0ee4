#include "analyzer/fit/verdict.h"

#include <algorithm>
#include <vector>

namespace mallogram::fit {
namespace {

constexpr double kHighWeight = 0.95, kLikelyWeight = 0.8, kCertainWeight = 0.99;
constexpr double kStable = 0.85;

Group LeadingGroup(const GrowthWeights& weights) {
  const GroupWeights sums = SumGroups(weights);
  return static_cast<Group>(std::max_element(sums.begin(), sums.end()) -
                            sums.begin());
}

template <typename T>
double ShareOf(const std::vector<T>& refits, T value) {
  const auto same = std::count(refits.begin(), refits.end(), value);
  return static_cast<double>(same) / static_cast<double>(refits.size());
}

// One bad largest size must not make a law: no word without the fit that lacks it.
Word WordFor(double weight, double stability, bool largest_agrees) {
  if (weight >= kHighWeight && stability >= kStable && largest_agrees) {
    return Word::kHigh;
  }
  if ((weight >= kLikelyWeight && stability >= kStable) ||
      weight >= kCertainWeight) {
    return Word::kLikely;
  }
  return Word::kUndetermined;
}

}  // namespace

Refits RefitWithoutOne(const Sample& sample) {
  Refits refits;
  const size_t count = std::min(sample.size(), kMaxRefits);
  for (size_t k = 1; k <= count; ++k) {
    const size_t left_out = k * sample.size() / count - 1;
    const Family family = FitFamily(sample.Without(left_out));
    refits.growths.push_back(family.LeadingGrowth());
    refits.groups.push_back(LeadingGroup(family.weights));
  }
  refits.without_largest = refits.growths.back();
  refits.group_without_largest = refits.groups.back();
  return refits;
}

Verdict Judge(const Sample&, const Family& family, const Refits& refits) {
  Verdict verdict;
  verdict.leading = family.LeadingGrowth();
  double second = -1;
  for (size_t i = 0; i < kGrowthLaws; ++i) {
    const auto growth = static_cast<Growth>(i);
    if (growth == verdict.leading || family.weights[i] <= second) continue;
    second = family.weights[i];
    verdict.second = growth;
  }
  verdict.stability = ShareOf(refits.growths, verdict.leading);
  verdict.largest_agrees = refits.without_largest == verdict.leading;
  verdict.group = GroupOf(verdict.leading);
  verdict.word = WordFor(family.weights[static_cast<size_t>(verdict.leading)],
                         verdict.stability, verdict.largest_agrees);
  verdict.group_word = verdict.word;
  if (verdict.word != Word::kUndetermined) {
    verdict.growth = verdict.leading;
    return verdict;
  }
  verdict.group = LeadingGroup(family.weights);
  const GroupWeights groups = SumGroups(family.weights);
  verdict.group_word = WordFor(groups[static_cast<size_t>(verdict.group)],
                               ShareOf(refits.groups, verdict.group),
                               refits.group_without_largest == verdict.group);
  return verdict;
}

}  // namespace mallogram::fit
