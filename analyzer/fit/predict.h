// What it will be at another n, with a 95 % interval; or why there is no figure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/fit/covariance.h"
#include "analyzer/fit/family.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

struct Prediction {
  double n = 0;
  double value = 0, low = 0, high = 0;  // bytes
};

// A mixture of the laws' t densities of ln y(n), by Akaike weight. A law with steps
// spreads over a whole step: where in it the container will be is not known.
class Predictor {
 public:
  // The value predicted is that of `law`, within the interval. REQUIRES: sample
  // outlives the predictor.
  Predictor(const Sample& sample, const Family& family, const Law& law);

  Prediction At(double n) const;

  // Reason not to print At(n); nothing: print it.
  std::optional<std::string> Refuse(const Prediction& prediction) const;

  // The largest n whose upper bound stays within the budget.
  struct Budget {
    double n = 0;                // 0: not even the smallest size fits
    bool reached_limit = false;  // n is as far as predictions go: more may fit
  };
  Budget LargestWithin(double bytes) const;

  // The n whose measurement would tell the two leading classes apart best: the
  // smallest where they differ by more than the noise, up to ten times the largest.
  double SeparatingSize() const;

 private:
  struct Component {
    Law law;
    double weight;
    LawCovariance covariance;
    double t_low, t_high;  // quantiles 0.025 and 0.975 of t
  };

  const Sample& sample_;
  const Law law_;
  std::vector<Component> components_;
};

}  // namespace mallogram::fit
