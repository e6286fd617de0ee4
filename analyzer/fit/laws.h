// The estimators: each adds its laws, fitted, to the list. Private to the family.
#pragma once

#include <vector>

#include "analyzer/fit/law.h"
#include "analyzer/fit/pair_fit.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

// What odd laws cost, in units of AIC. Flat: ±0.5 point of accuracy over 0 to 4.
inline constexpr double kPriorPower = 2, kPriorMix = 1, kPriorSteps = 3,
                        kPriorFineSteps = 5, kPriorLineAndSteps = 2,
                        kPriorBounded = 2, kPriorFrom = 3;

// A constant may be a little below zero: laws bend near the smallest sizes.
inline double LowestConstant(const Sample& sample) { return -0.1 * sample.min_y; }

void FitBases(const Sample& sample, std::vector<Law>* laws);   // and the constant
void FitPowers(const Sample& sample, std::vector<Law>* laws);  // and n·(log n + d)
void FitMixes(const Sample& sample, std::vector<Law>* laws);
void FitSteps(const Sample& sample, std::vector<Law>* laws);
void FitKnees(const Sample& sample, std::vector<Law>* laws);  // bounded, from n0 on
void FitThreshold(const Sample& sample, std::vector<Law>* laws);  // after zeros

// a + b·n^c for one c.
PairFit FitOffsetPower(const Sample& sample, double exponent);

// Adds the law if the fit is one.
void AddLaw(const PairFit& fit, Law law, std::vector<Law>* laws);

}  // namespace mallogram::fit
