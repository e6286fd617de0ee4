#include "analyzer/fit/growth.h"

namespace mallogram::fit {

absl::string_view GrowthName(Growth growth) {
  constexpr absl::string_view kNames[] = {
      "constant",     "bounded",     "logarithmic", "sublinear",      "linear",
      "linearithmic", "superlinear", "quadratic",   "superquadratic", "zero",
      "decreasing",   "erratic",     "undetermined"};
  return kNames[static_cast<size_t>(growth)];
}

absl::string_view GroupName(Group group) {
  constexpr absl::string_view kNames[] = {"constant",  "sublinear",
                                          "linear",    "superlinear",
                                          "quadratic", "superquadratic"};
  return kNames[static_cast<size_t>(group)];
}

absl::string_view WordName(Word word) {
  constexpr absl::string_view kNames[] = {"high", "likely", "undetermined",
                                          "not enough data"};
  return kNames[static_cast<size_t>(word)];
}

Group GroupOf(Growth growth) {
  constexpr Group kGroupOf[kGrowthLaws] = {
      Group::kConstant,    Group::kSublinear, Group::kSublinear,
      Group::kSublinear,   Group::kLinear,    Group::kLinear,
      Group::kSuperlinear, Group::kQuadratic, Group::kSuperquadratic};
  return kGroupOf[static_cast<size_t>(growth)];
}

GroupWeights SumGroups(const GrowthWeights& weights) {
  GroupWeights sums{};
  for (size_t i = 0; i < weights.size(); ++i) {
    sums[static_cast<size_t>(GroupOf(static_cast<Growth>(i)))] += weights[i];
  }
  return sums;
}

Growth GrowthOfPower(double exponent) {
  if (exponent < 0.95) return Growth::kSublinear;
  if (exponent <= 1.05) return Growth::kLinear;
  if (exponent < 1.9) return Growth::kSuperlinear;
  if (exponent <= 2.1) return Growth::kQuadratic;
  return Growth::kSuperquadratic;
}

}  // namespace mallogram::fit
