// The vocabulary of growth: classes, their coarse groups, and the words that say
// how sure a verdict is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace mallogram::fit {

// Ordered by steepness up to kSuperquadratic; the rest are no growth laws.
enum class Growth : uint8_t {
  kConstant,
  kBounded,
  kLogarithmic,
  kSublinear,
  kLinear,
  kLinearithmic,
  kSuperlinear,
  kQuadratic,
  kSuperquadratic,
  kZero,
  kDecreasing,
  kErratic,
  kUndetermined,
};
inline constexpr size_t kGrowthLaws = 9;  // kConstant to kSuperquadratic

// Weight of every growth law; sums to 1.
using GrowthWeights = std::array<double, kGrowthLaws>;

enum class Group : uint8_t {
  kConstant,
  kSublinear,  // bounded, logarithmic, sublinear
  kLinear,     // linear, linearithmic
  kSuperlinear,
  kQuadratic,
  kSuperquadratic,
};
inline constexpr size_t kGroups = 6;
using GroupWeights = std::array<double, kGroups>;

enum class Word : uint8_t {
  kHigh,
  kLikely,
  kUndetermined,
  kNotEnoughData,
};

absl::string_view GrowthName(Growth growth);
absl::string_view GroupName(Group group);
absl::string_view WordName(Word word);

// REQUIRES: `growth` is a growth law.
Group GroupOf(Growth growth);
GroupWeights SumGroups(const GrowthWeights& weights);

// The class of a power law n^c.
Growth GrowthOfPower(double exponent);

inline bool IsGrowthLaw(Growth growth) {
  return static_cast<size_t>(growth) < kGrowthLaws;
}
inline bool SteeperThanLinear(Growth growth) {
  return growth >= Growth::kSuperlinear && growth <= Growth::kSuperquadratic;
}

}  // namespace mallogram::fit
