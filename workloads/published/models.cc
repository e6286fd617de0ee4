// The laws that people fit by hand, held against a table with their own statistics.
// analyzer/fit has priors and floors: its verdicts are a second opinion.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "analyzer/fit/laws.h"
#include "analyzer/fit/pair_fit.h"
#include "analyzer/fit/regression.h"
#include "analyzer/fit/sample.h"
#include "analyzer/fit/search.h"
#include "workloads/published/published.h"

namespace mallogram::published {
namespace {

using fit::PairFit;
using fit::Sample;

// A fitted law: its squares, and its value elsewhere.
struct Fitted {
  double rss = std::numeric_limits<double>::infinity();
  std::function<double(double)> at;
};

struct Candidate {
  std::string name;
  int parameters;
  std::function<Fitted(const Sample&)> fit;
};

using Basis = std::function<double(double)>;

fit::Column ColumnOf(const Sample& sample, const Basis& g) {
  fit::Column column;
  for (double n : sample.n) column.push_back(g(n));
  return column;
}

Fitted FitAlone(const Sample& sample, const Basis& g) {
  const PairFit fitted = fit::FitScale(sample, ColumnOf(sample, g));
  return {fitted.rss, [fitted, g](double n) { return fitted.b * g(n); }};
}

Fitted FitWithConstant(const Sample& sample, const Basis& g, double lowest) {
  const PairFit fitted = fit::FitPair(sample, fit::Column(sample.size(), 1.0),
                                      ColumnOf(sample, g), lowest);
  return {fitted.rss, [fitted, g](double n) { return fitted.a + fitted.b * g(n); }};
}

Fitted FitPower(const Sample& sample) {
  const fit::LineFit line = fit::FitLogLog(sample.n, sample.y);
  return {line.rss, [line](double n) { return std::exp(line.At(std::log(n))); }};
}

Fitted FitPowerWithConstant(const Sample& sample) {
  std::vector<double> grid;
  for (double c = 0.05; c < 3.5; c += 0.05) grid.push_back(c);
  const auto [c, rss] = fit::Minimize(grid, [&sample](double exponent) {
    return std::min(1e9, fit::FitOffsetPower(sample, exponent).rss);
  });
  const PairFit fitted = fit::FitOffsetPower(sample, c);
  return {rss, [fitted, exponent = c](double n) {
            return fitted.a + fitted.b * std::pow(n, exponent);
          }};
}

std::vector<Candidate> Candidates() {
  std::vector<Candidate> all;
  const auto add = [&all](std::string name, const Basis& g) {
    all.push_back({"b·" + name, 1,
                   [g](const Sample& sample) { return FitAlone(sample, g); }});
    all.push_back({"a + b·" + name, 2, [g](const Sample& sample) {
                     return FitWithConstant(sample, g, fit::LowestConstant(sample));
                   }});
  };
  all.push_back({"constant", 1, [](const Sample& sample) {
                   return FitAlone(sample, [](double) { return 1.0; });
                 }});
  // The base and the origin of a logarithm are arbitrary: its constant is free.
  all.push_back({"a + b·log n", 2, [](const Sample& sample) {
                   return FitWithConstant(
                       sample, [](double n) { return std::log(n); },
                       -std::numeric_limits<double>::infinity());
                 }});
  add("n", [](double n) { return n; });
  add("n·log n", [](double n) { return n * std::log(n); });
  add("n²", [](double n) { return n * n; });
  all.push_back({"b·n^c", 2, FitPower});
  all.push_back({"a + b·n^c", 3, FitPowerWithConstant});
  return all;
}

double LeaveOneOut(const Candidate& candidate, const Sample& sample) {
  double sum = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    const Fitted fitted = candidate.fit(sample.Without(i));
    const double value = fitted.at(sample.n[i]);
    if (!(value > 0)) return std::numeric_limits<double>::infinity();
    const double error = sample.ln_y[i] - std::log(value);
    sum += error * error;
  }
  return std::sqrt(sum / static_cast<double>(sample.size()));
}

}  // namespace

std::vector<LawScore> CompareModels(absl::Span<const double> n,
                                    absl::Span<const double> y) {
  Sample sample;
  sample.n.assign(n.begin(), n.end());
  sample.y.assign(y.begin(), y.end());
  sample.weight.assign(n.size(), 1.0);
  sample.Recompute();
  std::vector<LawScore> scores;
  for (const Candidate& candidate : Candidates()) {
    const Fitted fitted = candidate.fit(sample);
    if (!std::isfinite(fitted.rss)) continue;
    scores.push_back({candidate.name,
                      fit::PlainAicc(fitted.rss, n.size(), candidate.parameters),
                      LeaveOneOut(candidate, sample)});
  }
  std::sort(scores.begin(), scores.end(), [](const LawScore& a, const LawScore& b) {
    return a.delta != b.delta ? a.delta < b.delta
                              : a.leave_one_out < b.leave_one_out;
  });
  const double best = scores.empty() ? 0 : scores.front().delta;
  for (LawScore& score : scores) score.delta -= best;
  return scores;
}

}  // namespace mallogram::published
