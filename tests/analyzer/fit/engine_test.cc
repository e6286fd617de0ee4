// The engine on small series made by hand: preparation, laws, verdicts, refusals,
// flags, predictions.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "analyzer/fit/covariance.h"
#include "analyzer/fit/family.h"
#include "analyzer/fit/fit.h"
#include "analyzer/fit/flags.h"
#include "analyzer/fit/pair_fit.h"

namespace mallogram::fit {
namespace {

const std::vector<double> kSizes = {100, 310, 1000, 3100, 10000, 31000, 100000};

std::vector<Measurement> Make(const std::function<double(double)>& law,
                              const std::vector<double>& sizes = kSizes) {
  std::vector<Measurement> points;
  for (double n : sizes) points.push_back({n, std::round(law(n))});
  return points;
}

SeriesFit Fit(const std::function<double(double)>& law, FitRequest request = {}) {
  return FitSeries(Make(law), 0, request);
}

bool HasFlag(const SeriesFit& fit, absl::string_view name) {
  for (const Flag& flag : fit.flags) {
    if (flag.name == name) return true;
  }
  return false;
}

TEST(Sample, ReplicatesAreOnePoint) {
  const Series series =
      Prepare({{20, 300}, {10, 110}, {10, 90}, {10, 1000}, {20, 500}}, 1);
  ASSERT_EQ(series.sizes.size(), 2u);
  EXPECT_EQ(series.sizes[0].median, 110);
  EXPECT_EQ(series.sizes[1].median, 400);
  EXPECT_EQ(series.sizes[0].replicates, 3u);
  EXPECT_EQ(series.pure_df, 3u);
}

TEST(Sample, CvIsPooledByRootMeanSquareAndMissingForSingleRuns) {
  EXPECT_FALSE(Prepare({{1, 5}, {2, 6}}, 1).cv.has_value());
  // SDs of 10 % and 2 % of the mean, two runs each.
  const double a = 10 / std::sqrt(2.0), b = 2 / std::sqrt(2.0);
  const Series series =
      Prepare({{1, 100 - a}, {1, 100 + a}, {2, 100 - b}, {2, 100 + b}}, 1);
  EXPECT_NEAR(*series.cv, std::sqrt((0.01 + 0.0004) / 2), 1e-12);
  EXPECT_NEAR(series.positive.s0, *series.cv / std::sqrt(2.0), 1e-12);
}

TEST(Sample, RoundingTakesWeightFromSmallValues) {
  const Series series = Prepare({{1, 4096}, {2, 40960}, {3, 4096000}}, 4096);
  const double s0 = kMinNoise, variance = 4096.0 * 4096 / 12 / 4096 / 4096;
  EXPECT_NEAR(series.positive.weight[0], s0 * s0 / (s0 * s0 + variance), 1e-12);
  EXPECT_GT(series.positive.weight[2], 0.99);
  EXPECT_EQ(GuessQuantum({{1, 48}, {2, 160}}), 16);
  EXPECT_EQ(GuessQuantum({{1, 48}, {2, 17}}), 1);
  EXPECT_EQ(GuessQuantum({{1, 8}, {2, 12}}), 4);
}

TEST(PairFit, FindsWhatItWasMadeOf) {
  const Series series = Prepare(Make([](double n) { return 5e6 + 30 * n; }), 1);
  const Sample& sample = series.positive;
  const PairFit fit =
      FitPair(sample, Column(sample.size(), 1.0), sample.n, -0.1 * sample.min_y);
  ASSERT_TRUE(fit.ok());
  EXPECT_NEAR(fit.a, 5e6, 10);
  EXPECT_NEAR(fit.b, 30, 1e-3);
  EXPECT_FALSE(fit.on_bound);
}

TEST(PairFit, ClampsTheConstantAndRefusesNoGrowth) {
  const Series bent = Prepare(Make([](double n) { return n * n; }), 1);
  const Column ones(bent.positive.size(), 1.0);
  const double bound = -0.1 * bent.positive.min_y;
  const PairFit fit = FitPair(bent.positive, ones, bent.positive.n, bound);
  EXPECT_TRUE(fit.on_bound);
  EXPECT_DOUBLE_EQ(fit.a, bound);
  const Series falling = Prepare(Make([](double n) { return 1e9 / n; }), 1);
  EXPECT_FALSE(FitPair(falling.positive, ones, falling.positive.n, 0).ok());
}

struct Case {
  const char* name;
  std::function<double(double)> law;
  Growth growth;
};

TEST(Verdict, EveryLawIsKnown) {
  const Case cases[] = {
      {"constant", [](double) { return 4e6; }, Growth::kConstant},
      {"log", [](double n) { return 3e4 * std::log(n); }, Growth::kLogarithmic},
      {"root", [](double n) { return 1e3 * std::sqrt(n); }, Growth::kSublinear},
      {"power .75", [](double n) { return 1e5 + 1e3 * std::pow(n, 0.75); },
       Growth::kSublinear},
      {"line", [](double n) { return 1e5 + 64 * n; }, Growth::kLinear},
      {"n log n", [](double n) { return 8 * n * std::log2(n); },
       Growth::kLinearithmic},
      {"power 1.5", [](double n) { return 40 * std::pow(n, 1.5); },
       Growth::kSuperlinear},
      {"square", [](double n) { return 5000 + 8 * n * n; }, Growth::kQuadratic},
      {"line and square", [](double n) { return 3e4 * n + n * n; },
       Growth::kQuadratic},
      {"cube", [](double n) { return n * n * n; }, Growth::kSuperquadratic},
      {"vector",
       [](double n) { return 24 + 8 * std::exp2(std::ceil(std::log2(n))); },
       Growth::kLinear},
      {"window", [](double n) { return 800 + std::min(n, 5000.0) * 20; },
       Growth::kBounded},
      {"from n0 on", [](double n) { return 9e4 + 50 * std::max(0.0, n - 2000); },
       Growth::kLinear},
  };
  for (const Case& c : cases) {
    const SeriesFit fit = Fit(c.law);
    EXPECT_EQ(fit.growth, c.growth)
        << c.name << " " << GrowthName(fit.leading) << " " << LawText(*fit.law);
    EXPECT_EQ(fit.word, Word::kHigh) << c.name;
    EXPECT_LE(fit.exponent->low, fit.exponent->value) << c.name;
    EXPECT_GE(fit.exponent->high, fit.exponent->value) << c.name;
    double sum = 0;
    for (double weight : fit.weights) sum += weight;
    EXPECT_NEAR(sum, 1, 1e-9) << c.name;
  }
}

TEST(Verdict, ScaleOfBytesAndOfSizesDoesNotMatter) {
  const auto law = [](double n) { return 1e6 + 640 * n; };
  const SeriesFit plain = Fit(law);
  std::vector<Measurement> scaled = Make(law);
  for (Measurement& point : scaled) {
    point.n *= 1000;
    point.bytes *= 4;
  }
  const SeriesFit other = FitSeries(scaled, 1, {});
  EXPECT_EQ(plain.growth, other.growth);
  EXPECT_NEAR(plain.law->a * 4, other.law->a, 40);
}

TEST(Verdict, OneBadLargestSizeMakesNoLaw) {
  for (double factor : {0.7, 1.3, 2.0}) {
    std::vector<Measurement> points = Make([](double n) { return 64 * n; });
    points.back().bytes *= factor;
    const SeriesFit fit = FitSeries(points, 0, {});
    EXPECT_TRUE(fit.growth == Growth::kUndetermined ||
                fit.growth == Growth::kLinear)
        << factor << " " << GrowthName(fit.growth);
  }
}

TEST(Verdict, NoiseThatHidesALineIsNoConstant) {
  const double noise[] = {1.06, 0.95, 1.03, 0.94, 1.05, 0.96, 1.04, 0.97};
  std::vector<Measurement> loud, quiet;
  double n = 10;
  for (double factor : noise) {
    loud.push_back({n, std::round(1e6 * factor)});
    quiet.push_back({n, std::round(1e6 * (1 + (factor - 1) / 5))});
    n *= 2;
  }
  const SeriesFit fit = FitSeries(loud, 0, {});
  EXPECT_EQ(fit.leading, Growth::kConstant);
  EXPECT_EQ(fit.growth, Growth::kUndetermined);
  EXPECT_EQ(FitSeries(quiet, 0, {}).growth, Growth::kConstant);
}

TEST(Refusal, FewSizesOrASmallRange) {
  const auto line = [](double n) { return 64 * n; };
  EXPECT_EQ(FitSeries(Make(line, {10, 100, 1000}), 0, {}).word,
            Word::kNotEnoughData);
  EXPECT_EQ(FitSeries(Make(line, {100, 150, 200, 300}), 0, {}).word,
            Word::kNotEnoughData);
  const SeriesFit four = FitSeries(Make(line, {100, 150, 200, 400}), 0, {});
  EXPECT_NE(four.word, Word::kNotEnoughData);
  EXPECT_TRUE(HasFlag(four, "few sizes"));
  EXPECT_EQ(FitSeries({{5, 100}}, 0, {}).growth, Growth::kUndetermined);
}

TEST(Refusal, PredictionsTooFar) {
  FitRequest request;
  request.predict = {2e5, 1e6, 1.1e6};
  const SeriesFit fit = Fit([](double n) { return 1000 + 64 * n; }, request);
  ASSERT_EQ(fit.predictions.size(), 2u);
  ASSERT_EQ(fit.refused.size(), 1u);
  EXPECT_EQ(fit.refused[0].n, 1.1e6);
  EXPECT_EQ(fit.refusal, fit.refused[0].reason);
  const double truth = 1000 + 64e6;
  EXPECT_LT(fit.predictions[1].low, truth);
  EXPECT_GT(fit.predictions[1].high, truth);
  EXPECT_NEAR(fit.predictions[1].value, truth, truth * 0.01);
}

TEST(Refusal, FurtherThanTheDataReach) {
  FitRequest request;
  request.predict = {10000, 40000};
  const SeriesFit fit = FitSeries(
      Make([](double n) { return 640 * n; }, {1000, 1500, 2200, 3300, 5000}), 0,
      request);
  EXPECT_EQ(fit.predictions.size(), 1u);
  EXPECT_EQ(fit.refused.size(), 1u);
}

TEST(Budget, IsTheLargestWithinTheUpperBound) {
  FitRequest request;
  request.budget = 20e6;
  request.predict = {1};
  SeriesFit fit = Fit([](double n) { return 64 * n; }, request);
  ASSERT_TRUE(fit.budget.has_value());
  EXPECT_LT(fit.budget->n, 20e6 / 64);
  EXPECT_GT(fit.budget->n, 20e6 / 64 * 0.97);
  EXPECT_FALSE(fit.budget->reached_limit);
  request.predict = {fit.budget->n, fit.budget->n * 1.01};
  fit = Fit([](double n) { return 64 * n; }, request);
  EXPECT_LE(fit.predictions[0].high, 20e6);
  EXPECT_GT(fit.predictions[1].high, 20e6);
  request.budget = 1e12;
  EXPECT_TRUE(Fit([](double n) { return 64 * n; }, request).budget->reached_limit);
  request.budget = 100;
  EXPECT_EQ(Fit([](double n) { return 64 * n; }, request).budget->n, 0);
}

TEST(Prediction, AVectorMayBeAnywhereInItsStep) {
  FitRequest request;
  request.predict = {400000};
  const SeriesFit fit =
      Fit([](double n) { return 8 * std::exp2(std::ceil(std::log2(n))); }, request);
  ASSERT_EQ(fit.predictions.size(), 1u);
  EXPECT_LT(fit.predictions[0].low, 8 * 524288.0);
  EXPECT_GT(fit.predictions[0].high, 8 * 524288.0);
  EXPECT_GT(fit.predictions[0].high, fit.predictions[0].low * 1.8);
}

TEST(Zeros, AllSomeAndBetween) {
  EXPECT_EQ(Fit([](double) { return 0; }).growth, Growth::kZero);
  const SeriesFit late = Fit([](double n) { return 32 * std::max(0.0, n - 700); });
  EXPECT_EQ(late.growth, Growth::kLinear);
  EXPECT_TRUE(HasFlag(late, "zero prefix"));
  EXPECT_EQ(late.law->form, Form::kThreshold);
  EXPECT_NEAR(late.law->c, 700, 10);
  std::vector<Measurement> gap = Make([](double n) { return 64 * n; });
  gap[3].bytes = 0;
  EXPECT_EQ(FitSeries(gap, 0, {}).growth, Growth::kErratic);
}

TEST(Flags, DecreasingAndFalls) {
  EXPECT_EQ(Fit([](double n) { return 1e9 / std::sqrt(n); }).growth,
            Growth::kDecreasing);
  EXPECT_NE(Fit([](double n) { return 1e7 - 10 * std::log(n); }).growth,
            Growth::kDecreasing);
  std::vector<Measurement> dip = Make([](double n) { return 64 * n; });
  dip[4].bytes = dip[3].bytes * 0.9;
  EXPECT_TRUE(HasFlag(FitSeries(dip, 0, {}), "non-monotone"));
}

TEST(Flags, OutlierIsNamedAndKept) {
  std::vector<Measurement> points = Make([](double n) { return 64 * n; });
  points[3].bytes *= 1.3;
  const SeriesFit fit = FitSeries(points, 0, {});
  EXPECT_TRUE(HasFlag(fit, "outlier"));
  ASSERT_TRUE(fit.without_outlier.has_value());
  EXPECT_EQ(fit.without_outlier->growth, Growth::kLinear);
  EXPECT_EQ(fit.series.positive.size(), points.size());
  EXPECT_FALSE(HasFlag(Fit([](double n) { return 64 * n; }), "outlier"));
}

TEST(Flags, LackOfFitNeedsReplicates) {
  std::vector<Measurement> points = Make([](double n) { return 64 * n; });
  points[1].bytes *= 1.2;
  points[4].bytes *= 0.8;
  EXPECT_FALSE(HasFlag(FitSeries(points, 0, {}), "lack of fit"));
  const size_t count = points.size();
  for (size_t i = 0; i < count; ++i) {
    points.push_back({points[i].n, std::round(points[i].bytes * 1.002)});
  }
  EXPECT_TRUE(HasFlag(FitSeries(points, 0, {}), "lack of fit"));
}

TEST(Flags, ConstantSaysHowMuchGrowthItMayHide) {
  const SeriesFit fit = Fit([](double) { return 4e6; });
  ASSERT_TRUE(fit.growth_at_most.has_value());
  EXPECT_GT(*fit.growth_at_most, 0);
  EXPECT_LT(*fit.growth_at_most, 0.03);
}

}  // namespace
}  // namespace mallogram::fit
