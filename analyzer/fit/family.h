// All laws, fitted and compared: the family that a series is held against.
#pragma once

#include <vector>

#include "analyzer/fit/growth.h"
#include "analyzer/fit/law.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

// Growth below this over the data counts as constant: less than the measurement
// itself can promise.
inline constexpr double kMaterialGrowth = 0.01;

struct Family {
  std::vector<Law> laws;  // best first; never empty
  GrowthWeights weights{};

  const Law& best() const { return laws.front(); }
  // The class of the greatest weight, and the best law in it.
  Growth LeadingGrowth() const;
  const Law& BestOf(Growth growth) const;
};

// REQUIRES: at least 3 sizes.
Family FitFamily(const Sample& sample);

// Score, class and Akaike weights, for laws that are fitted; sorts them.
Family CompareLaws(const Sample& sample, std::vector<Law> laws);

}  // namespace mallogram::fit
