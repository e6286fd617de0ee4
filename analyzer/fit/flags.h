// What the measurements themselves say before and beside any law: falls, scatter,
// outliers, lack of fit.
#pragma once

#include <optional>

#include "analyzer/fit/law.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

// Kendall's rank correlation of y with n (tau-a).
double KendallTau(const Sample& sample);

// Tau <= -0.8 and a total fall of more than 1 % and of 3 s0.
bool IsDecreasing(const Sample& sample);

// Steps to the next larger size at which y falls by more than `share`.
int CountFalls(const Sample& sample, double share);

// Replicates agree with each other and sizes do not: the residual SD is above 2 %
// and ten times the pooled replicate SD, and y falls at least twice.
bool IsErratic(const Series& series, const Law& best);

struct Outlier {
  size_t index = 0;  // in the sample
  double t = 0;      // externally studentised residual
};
// By Bonferroni's t(0.05 / 2N), from 7 sizes on.
std::optional<Outlier> FindOutlier(const Sample& sample, const Law& law);

struct LackOfFit {
  double f = 0, p_value = 1;
  bool significant = false;  // p < 0.01 and residual SD above 2 %
};
// Residuals against replicates; nothing without replicates.
std::optional<LackOfFit> TestLackOfFit(const Series& series, const Law& law);

// "At most X % over the range": the upper 95 % bound of the growth of a series that
// shows none, by lines in log n and in n, whichever allows more.
double GrowthAtMost(const Sample& sample);

// The change of y/n over the range of a law b·n, where it is significant (p < 0.01)
// and above 1 %.
std::optional<double> FindDrift(const Sample& sample, const Law& law);

}  // namespace mallogram::fit
