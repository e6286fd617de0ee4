// Data sets whose law is known: what fit_simulation holds the engine against.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "analyzer/fit/growth.h"
#include "analyzer/fit/sample.h"

namespace simulation {

using mallogram::fit::Growth;
using mallogram::fit::Measurement;

// Reproducible everywhere: the distributions of <random> are not.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();   // splitmix64
  double Uniform();  // [0, 1)
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  double LogUniform(double low, double high);
  double Normal();  // Box and Muller

 private:
  uint64_t state_;
};

struct DataSet {
  std::string law;
  std::vector<Growth> accept;  // the true class first
  double exponent = 0;
  bool stepped = false;
  bool has_constant = false;
  double noise = 0;
  std::vector<Measurement> points;
  std::function<double(double)> truth;  // bytes at n, without noise

  bool Accepts(Growth growth) const;
  double MaxN() const { return points.back().n; }
};

// Every law, constant, noise and design, `repeats` times: 2,250 sets a repeat.
std::vector<DataSet> MainSuite(uint64_t seed, int repeats);

// Laws that the family does not know, and damage.
std::vector<DataSet> StressSuite(uint64_t seed, int repeats);

// Call sites of a program, a tenth of them steeper than linear, with constants up
// to `constant` times their growth.
std::vector<DataSet> Sites(uint64_t seed, int count, int sizes, double ratio,
                           double noise, double constant);

}  // namespace simulation
