// What a criterion demands: "< 100MB", "<= linear", "< 1%". Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/fit/growth.h"

namespace mallogram::study {

enum class Comparison { kLess, kAtMost, kEqual, kAtLeast, kGreater };

struct Target {
  Comparison comparison = Comparison::kLess;
  double value = 0;  // a share for "1%"
  fit::Growth growth = fit::Growth::kConstant;
};

// "< 100MB", ">= 3", "< 5%".
absl::StatusOr<Target> ParseValueTarget(absl::string_view text);
// "<= linear": classes by steepness.
absl::StatusOr<Target> ParseLawTarget(absl::string_view text);

// The class with this name, among those with a steepness; the error lists them.
absl::StatusOr<fit::Growth> ParseGrowth(absl::string_view word);

bool Holds(double value, Comparison comparison, double limit);

}  // namespace mallogram::study
