#include "analyzer/fit/law.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace mallogram::fit {
namespace {

// n on a step's edge must not depend on the last bit of log n.
constexpr double kEdge = 1e-9;

double Step(const Law& law, double n, double phase) {
  const double level = std::ceil(std::log(n) / std::log(law.ratio) - phase - kEdge);
  return law.b * std::pow(law.ratio, level);
}

std::string Number(double value) {
  const double size = std::fabs(value);
  if (size == 0) return "0";
  if (size >= 1e15 || size < 1e-3) return absl::StrFormat("%.3e", value);
  if (size >= 1e4) return absl::StrFormat("%.0f", value);
  return absl::StrFormat("%.4g", value);
}

std::string Term(double factor, absl::string_view rest) {
  return absl::StrCat(Number(factor), "·", rest);
}

}  // namespace

double BasisValue(Basis basis, double n) {
  switch (basis) {
    case Basis::kLog:
      return std::log(n);
    case Basis::kSqrt:
      return std::sqrt(n);
    case Basis::kLinear:
      return n;
    case Basis::kLinearithmic:
      return n * std::log(n);
    case Basis::kPower15:
      return n * std::sqrt(n);
    case Basis::kSquare:
      return n * n;
    case Basis::kCube:
      return n * n * n;
  }
  return 0;
}

double Value(const Law& law, double n) {
  switch (law.form) {
    case Form::kConstant:
      return law.b;
    case Form::kBasis:
      return law.a + law.b * BasisValue(law.basis, n);
    case Form::kPower:
      return law.a + law.b * std::pow(n, law.c);
    case Form::kMix:
      return law.a + law.b * n + law.c * n * n;
    case Form::kShiftedLog:
      return law.b * n * (std::log(n) + law.c);
    case Form::kSteps:
      return law.a + law.d * n + Step(law, n, law.c);
    case Form::kBounded:
      return law.a + law.b * std::min(n, law.c);
    case Form::kFrom:
      return law.a + law.b * std::max(0.0, n - law.c);
    case Form::kThreshold:
      return law.b * std::max(0.0, n - law.c);
  }
  return 0;
}

std::pair<double, double> Envelope(const Law& law, double n) {
  if (law.form != Form::kSteps) return {Value(law, n), Value(law, n)};
  // A step's lower edge is the line b·n·r^-φ, its upper edge r times that.
  const double base = law.a + law.d * n;
  const double edge = law.b * n * std::pow(law.ratio, -law.c_high);
  return {base + edge, base + edge * std::pow(law.ratio, 1 + law.c_high - law.c)};
}

double AsymptoticExponent(const Law& law) {
  switch (law.form) {
    case Form::kConstant:
    case Form::kBounded:
      return 0;
    case Form::kPower:
      return law.c;
    case Form::kMix:
      return 2;
    case Form::kShiftedLog:
    case Form::kSteps:
    case Form::kFrom:
    case Form::kThreshold:
      return 1;
    case Form::kBasis: {
      constexpr double kExponents[kBases] = {0, 0.5, 1, 1, 1.5, 2, 3};
      return kExponents[static_cast<size_t>(law.basis)];
    }
  }
  return 0;
}

double LocalSlope(const Law& law, double n) {
  if (law.form == Form::kSteps) {  // of the line through the steps
    const double f = Value(law, n);
    return (f - law.a) / f;
  }
  constexpr double kNear = 1e-4;
  const double high = Value(law, n * (1 + kNear)),
               low = Value(law, n * (1 - kNear));
  if (!(low > 0 && high > 0)) return 0;
  return (std::log(high) - std::log(low)) /
         (std::log1p(kNear) - std::log1p(-kNear));
}

std::vector<double Law::*> SmoothParameters(const Law& law) {
  std::vector<double Law::*> parameters = {&Law::b};
  if (law.with_constant && !law.a_on_bound) parameters.push_back(&Law::a);
  switch (law.form) {
    case Form::kPower:
    case Form::kMix:
    case Form::kShiftedLog:
    case Form::kBounded:
    case Form::kFrom:
      parameters.push_back(&Law::c);
      break;
    case Form::kSteps:
      if (law.d > 0) parameters.push_back(&Law::d);
      break;
    default:
      break;
  }
  return parameters;
}

std::string LawText(const Law& law, bool ascii) {
  constexpr absl::string_view kBasisText[kBases] = {"log n", "√n", "n", "n·log n",
                                                    "n^1.5", "n²", "n³"};
  std::string growth;
  switch (law.form) {
    case Form::kConstant:
      return Number(law.b);
    case Form::kBasis:
      growth = Term(law.b, kBasisText[static_cast<size_t>(law.basis)]);
      break;
    case Form::kPower:
      growth = Term(law.b, absl::StrFormat("n^%.4g", law.c));
      break;
    case Form::kMix:
      growth = absl::StrCat(Term(law.b, "n"), " + ", Term(law.c, "n²"));
      break;
    case Form::kShiftedLog:
      growth = Term(law.b, absl::StrCat("n·(log n ", law.c < 0 ? "- " : "+ ",
                                        Number(std::fabs(law.c)), ")"));
      break;
    case Form::kSteps: {
      const std::string r = Number(law.ratio);
      growth = Term(law.b, absl::StrFormat("%s^⌈log_%s n - %.3g⌉", r, r, law.c));
      if (law.d > 0) growth = absl::StrCat(Term(law.d, "n"), " + ", growth);
      break;
    }
    case Form::kBounded:
      growth = Term(law.b, absl::StrCat("min(n, ", Number(law.c), ")"));
      break;
    case Form::kFrom:
    case Form::kThreshold:
      growth = Term(law.b, absl::StrCat("max(0, n - ", Number(law.c), ")"));
      break;
  }
  std::string text = growth;
  if (law.with_constant && law.a != 0)
    text = absl::StrCat(Number(law.a), " + ", growth);
  if (!ascii) return text;
  return absl::StrReplaceAll(text, {{"·", "*"},
                                    {"√n", "sqrt(n)"},
                                    {"²", "^2"},
                                    {"³", "^3"},
                                    {"⌈", "ceil("},
                                    {"⌉", ")"}});
}

std::vector<std::string> Modifiers(const Law& law, bool ascii) {
  std::vector<std::string> modifiers;
  if (law.form == Form::kBounded) {
    modifiers.push_back(absl::StrCat("at ", Number(Value(law, law.c))));
  }
  // A constant that is lost in the growth, or a fitted bend below it, is not news.
  if (law.with_constant && law.a > 0 && law.form != Form::kBounded) {
    modifiers.push_back(absl::StrCat("with constant ", Number(law.a)));
  }
  if (law.form == Form::kSteps) {
    modifiers.push_back(
        absl::StrCat("stepped (", ascii ? "x" : "×", Number(law.ratio), ")"));
  }
  if (law.form == Form::kFrom || law.form == Form::kThreshold) {
    modifiers.push_back(absl::StrCat("from n = ", Number(law.c), " on"));
  }
  return modifiers;
}

}  // namespace mallogram::fit
