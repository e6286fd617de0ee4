// Straight lines, the classical way: what reports print and what they claim.
//
// Weighted least squares of y = a + b·x with t intervals (Draper and Smith, Applied
// Regression Analysis, ch. 1 and 9), and the comparison of laws by AICc and
// leave-one-out error as statistics packages compute them: no priors, no floor.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "analyzer/fit/law.h"

namespace mallogram::fit {

struct Interval {
  double value = 0, low = 0, high = 0;
};

struct LineFit {
  Interval intercept, slope;  // 95 %
  double r_squared = 0;       // weighted
  double p_value = 1;         // slope = 0, two-sided
  double residual_sd = 0;     // of a point of weight 1
  double freedom = 0;
  double rss = 0;

  double At(double x) const { return intercept.value + slope.value * x; }
  // Of a new measurement whose weight is `weight`.
  Interval PredictionAt(double x, double weight) const;

  double var_intercept = 0, var_slope = 0, covariance = 0;
};

// REQUIRES: same lengths, >= 3 points, weights > 0, x not all equal.
LineFit FitLine(absl::Span<const double> x, absl::Span<const double> y,
                absl::Span<const double> weights);
// Weight 1 for each.
LineFit FitLine(absl::Span<const double> x, absl::Span<const double> y);

// Weights 1/y²: relative errors. A prediction has the relative error of the data.
LineFit FitRelativeLine(absl::Span<const double> x, absl::Span<const double> y);
Interval RelativePrediction(const LineFit& fit, double x);
// The largest x whose upper prediction bound stays within the budget.
double LargestWithin(const LineFit& relative_fit, double budget);

// ln y = ln b + c·ln n.
LineFit FitLogLog(absl::Span<const double> n, absl::Span<const double> y);

// N·ln(rss/N) + 2K + 2K(K+1)/(N-K-1), K = parameters + 1 (Hurvich and Tsai 1989);
// infinite where it is not defined.
double PlainAicc(double rss, size_t points, int parameters);

}  // namespace mallogram::fit
