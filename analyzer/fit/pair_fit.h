// Least squares in ln y of f = a·u + b·g, for given columns u and g. Only 2x2
// solves: every law of the family is such a pair once its exponent, phase or knee
// is fixed, and those are searched outside.
//
// Gauss-Newton from a weighted linear start (weights 1/y², Taylor's approximation
// of the log residual), at most 25 steps, halved until the sum falls; a below its
// bound is clamped and b fitted alone. b > 0 always: without it the law is another
// one.
#pragma once

#include <limits>
#include <vector>

#include "analyzer/fit/sample.h"

namespace mallogram::fit {

using Column = std::vector<double>;

struct PairFit {
  double a = 0, b = 0;
  double rss = std::numeric_limits<double>::infinity();  // weighted squares of ln y
  bool on_bound = false;                                 // a is at its bound

  bool ok() const { return rss < std::numeric_limits<double>::infinity(); }
};

// f = b·g: closed form. Not ok if some g <= 0.
PairFit FitScale(const Sample& sample, const Column& g);

// REQUIRES: u and g as long as the sample, u > 0, g >= 0 and not all 0.
PairFit FitPair(const Sample& sample, const Column& u, const Column& g,
                double a_min);

}  // namespace mallogram::fit
