// How well the data determine a law: its covariance by linearisation (the delta
// method), in ln y.
#pragma once

#include <vector>

#include "analyzer/fit/law.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

class LawCovariance {
 public:
  // REQUIRES: law was fitted to sample.
  LawCovariance(const Sample& sample, const Law& law);

  double sigma() const { return sigma_; }      // residual SD, at least s0
  double freedom() const { return freedom_; }  // at least 1
  // Standard error of ln f(n) as a new measurement would have it.
  double ErrorOfPrediction(double n) const;
  // Of the point with index i: between 0 and 1.
  double Leverage(size_t i) const;

  struct Parameter {
    double Law::*member = nullptr;
    double value = 0, error = 0;
  };
  std::vector<Parameter> parameters() const;

 private:
  std::vector<double> Gradient(double n) const;  // by scaled parameters
  double Quadratic(const std::vector<double>& gradient) const;

  const Sample& sample_;
  const Law law_;
  std::vector<double Law::*> members_;
  std::vector<double> scales_;
  std::vector<std::vector<double>> inverse_;  // of JᵀVJ
  double sigma_ = 0, freedom_ = 1;
};

// Residual SD in ln y: sqrt(rss / (N - p)), without a floor.
double ResidualSd(const Sample& sample, const Law& law);

}  // namespace mallogram::fit
