// The growth exponent, constant removed, with a 95 % interval.
#pragma once

#include "analyzer/fit/family.h"
#include "analyzer/fit/law.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

struct Exponent {
  double value = 0, low = 0, high = 0;
};

// The value is that of `law`; the interval that of the pure power (t), of the power
// with a constant (profile likelihood), or of both, if their scores are within 6.
Exponent FitExponent(const Sample& sample, const Family& family, const Law& law);

// {c : S(c) <= S_min + σ²·F(0.95; 1, N - 3)}, within the range of c that is
// searched. REQUIRES: law is a + b·n^c.
Exponent ProfileExponent(const Sample& sample, const Law& law);

}  // namespace mallogram::fit
