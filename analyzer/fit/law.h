// One growth law with its fitted parameters. Plain data and what can be said of it.
//
//   kConstant    b
//   kBasis       a + b·g(n), g one of log n, √n, n, n·log n, n^1.5, n², n³
//   kPower       a + b·n^c
//   kMix         a + b·n + c·n²
//   kShiftedLog  b·n·(log n + c)
//   kSteps       a + d·n + b·r^⌈log_r n - φ⌉, c <= φ < c_high (data tell no more)
//   kBounded     a + b·min(n, c)
//   kFrom        a + b·max(0, n - c)
//   kThreshold   b·(n - c), c the largest size without a byte, or a little more
// Logarithms are natural; a is 0 without `with_constant`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/fit/growth.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

enum class Form : uint8_t {
  kConstant,
  kBasis,
  kPower,
  kMix,
  kShiftedLog,
  kSteps,
  kBounded,
  kFrom,
  kThreshold,
};
enum class Basis : uint8_t {
  kLog,
  kSqrt,
  kLinear,
  kLinearithmic,
  kPower15,
  kSquare,
  kCube
};
inline constexpr size_t kBases = 7;

double BasisValue(Basis basis, double n);

struct Law {
  Form form = Form::kConstant;
  Basis basis = Basis::kLinear;
  bool with_constant = false;
  double a = 0, b = 0, c = 0, d = 0;
  double c_high = 0, ratio = 0;  // kSteps
  bool a_on_bound = false;

  int parameters = 1;  // free ones, phase and knee included
  double prior = 0;    // what its oddity costs, in units of AIC
  double rss = 0;      // weighted squares of ln y
  double score = 0;    // smaller is better
  double weight = 0;   // Akaike's, over the family
  Growth growth = Growth::kConstant;
};

double Value(const Law& law, double n);

// Smallest and largest value at n over the phases that fit the data equally well,
// and over a whole step, for containers round in their own way; (value, value) for
// a law without steps.
std::pair<double, double> Envelope(const Law& law, double n);

// Of the term that grows fastest, factors of log ignored: 0 for constant, log,
// bounded.
double AsymptoticExponent(const Law& law);

// d ln f / d ln n.
double LocalSlope(const Law& law, double n);

// Parameters that move f smoothly, for the delta method.
std::vector<double Law::*> SmoothParameters(const Law& law);

// "1.5 kB"-free: "42007040 + 30.3·n". `ascii`: without · √ ² and the like.
std::string LawText(const Law& law, bool ascii = false);
// "with constant", "stepped (×2)", "from n = 500 on", "bounded at 33424"; or
// nothing.
std::vector<std::string> Modifiers(const Law& law, bool ascii = false);

}  // namespace mallogram::fit
