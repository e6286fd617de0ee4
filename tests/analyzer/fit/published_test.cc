// Tables that four projects published about their memory, and what the tables
// support: a session bridge (S0), a chunk store (S1), an encoder (S2), agents (S3).
// Every figure below was computed by hand from the published rows.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "analyzer/fit/fit.h"
#include "analyzer/fit/regression.h"

namespace mallogram::fit {
namespace {

using Values = std::vector<double>;

const Values kSessions = {5, 10, 20, 50, 100};
const Values kPerSession = {7659, 7672, 7680, 7689, 7758};
const Values kMessages = {20, 40, 100, 200, 400};
const Values kPerMessage = {880, 739, 730, 721, 753};
const Values kChunks = {1000, 2000, 5000, 10000};
const Values kChunkBytes = {1.55e6, 3.10e6, 7.72e6, 15.49e6};
const Values kFileMb = {1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 5, 10};
const Values kPeakMb = {41.92, 43.07, 48.81, 44.25, 52.10, 48.81, 54.18, 54.80};
const Values kPeakSd = {0.010, 0.035, 0.107, 0.160, 0.080, 0.107, 0, 0};

Values Times(const Values& a, const Values& b) {
  Values product;
  for (size_t i = 0; i < a.size(); ++i) product.push_back(a[i] * b[i]);
  return product;
}

SeriesFit Fit(const Values& n, const Values& y, const FitRequest& request = {}) {
  std::vector<Measurement> points;
  for (size_t i = 0; i < n.size(); ++i) points.push_back({n[i], y[i]});
  return FitSeries(points, 1, request);
}

// Two runs that have the published mean and SD.
std::vector<Measurement> EncoderRuns() {
  std::vector<Measurement> points;
  for (size_t i = 0; i < kFileMb.size(); ++i) {
    const double n = kFileMb[i] * 1e6, half = kPeakSd[i] / std::sqrt(2.0);
    points.push_back({n, (kPeakMb[i] - half) * 1e6});
    if (half > 0) points.push_back({n, (kPeakMb[i] + half) * 1e6});
  }
  return points;
}

bool HasFlag(const SeriesFit& fit, absl::string_view name) {
  for (const Flag& flag : fit.flags) {
    if (flag.name == name) return true;
  }
  return false;
}

TEST(S0Sessions, LineThroughRelativeErrors) {
  const Values bytes = Times(kSessions, kPerSession);
  const LineFit line = FitRelativeLine(kSessions, bytes);
  EXPECT_NEAR(line.intercept.value, -348, 1);
  EXPECT_NEAR(line.intercept.low, -996, 1);
  EXPECT_NEAR(line.intercept.high, 300, 1);
  EXPECT_NEAR(line.slope.value, 7718, 1);
  EXPECT_NEAR(line.slope.low, 7651, 1);
  EXPECT_NEAR(line.slope.high, 7785, 1);
  const LineFit power = FitLogLog(kSessions, bytes);
  EXPECT_NEAR(power.slope.value, 1.0037, 1e-4);
  EXPECT_NEAR(power.slope.low, 0.99997, 1e-5);
  EXPECT_NEAR(power.slope.high, 1.0073, 1e-4);
  EXPECT_NEAR(FitLine(kSessions, kPerSession).p_value, 0.006, 5e-4);
  const Interval thousand = RelativePrediction(line, 1000);
  EXPECT_NEAR(thousand.value / 1e6, 7.72, 0.005);
  EXPECT_NEAR(thousand.low / 1e6, 7.60, 0.005);
  EXPECT_NEAR(thousand.high / 1e6, 7.84, 0.005);
}

TEST(S0Sessions, LinearWithDriftAndNoTenThousand) {
  FitRequest request;
  request.predict = {1000, 10000};
  const SeriesFit fit = Fit(kSessions, Times(kSessions, kPerSession), request);
  EXPECT_EQ(fit.growth, Growth::kLinear);
  EXPECT_EQ(fit.word, Word::kHigh);
  EXPECT_TRUE(HasFlag(fit, "drift"));
  EXPECT_FALSE(fit.law->with_constant);
  EXPECT_NEAR(fit.law->b, 7692, 30);
  ASSERT_EQ(fit.predictions.size(), 1u);
  EXPECT_LT(fit.predictions[0].low, 7.72e6);
  EXPECT_GT(fit.predictions[0].high, 7.72e6);
  ASSERT_EQ(fit.refused.size(), 1u);
  EXPECT_EQ(fit.refused[0].n, 10000);
}

TEST(S0Sessions, TheFirstSessionSpoilsIt) {
  Values n = kSessions, y = Times(kSessions, kPerSession);
  n.insert(n.begin(), 1);
  y.insert(y.begin(), 20008);
  EXPECT_EQ(Fit(n, y).growth, Growth::kUndetermined);
}

TEST(S0Window, LinearOrNLogN) {
  const Values bytes = Times(kMessages, kPerMessage);
  const LineFit power = FitLogLog(kMessages, bytes);
  EXPECT_NEAR(power.slope.value, 0.955, 1e-3);
  EXPECT_NEAR(power.slope.low, 0.861, 1e-3);
  EXPECT_NEAR(power.slope.high, 1.049, 1e-3);
  EXPECT_NEAR(power.r_squared, 0.997, 5e-4);
  const LineFit line = FitRelativeLine(kMessages, bytes);
  EXPECT_NEAR(line.slope.value, 711, 1);
  EXPECT_NEAR(line.slope.low, 639, 1);
  EXPECT_NEAR(line.slope.high, 784, 1);
  const SeriesFit fit = Fit(kMessages, bytes);
  EXPECT_EQ(fit.growth, Growth::kUndetermined);
  const double linear = fit.weights[static_cast<size_t>(Growth::kLinear)];
  const double n_log_n = fit.weights[static_cast<size_t>(Growth::kLinearithmic)];
  EXPECT_NEAR(linear, 0.48, 0.08);
  EXPECT_NEAR(n_log_n, 0.43, 0.08);
  // Five sizes: the power with a constant is no rival, so the interval is the
  // line's.
  EXPECT_NEAR(fit.exponent->low, power.slope.low, 2e-3);
  EXPECT_GT(fit.exponent->high, power.slope.high);
}

TEST(S1Chunks, SafeLimitIs63979) {
  const LineFit line = FitRelativeLine(kChunks, kChunkBytes);
  EXPECT_NEAR(line.intercept.value / 1e6, 0.004, 5e-4);
  EXPECT_NEAR(line.intercept.low / 1e6, -0.015, 5e-4);
  EXPECT_NEAR(line.intercept.high / 1e6, 0.022, 5e-4);
  EXPECT_NEAR(line.slope.value, 1546.5, 0.1);
  EXPECT_NEAR(line.slope.low, 1536, 0.5);
  EXPECT_NEAR(line.slope.high, 1557, 0.5);
  const Interval fifty = RelativePrediction(line, 50000);
  EXPECT_NEAR(fifty.value / 1e6, 77.3, 0.05);
  EXPECT_NEAR(fifty.low / 1e6, 76.5, 0.05);
  EXPECT_NEAR(fifty.high / 1e6, 78.2, 0.06);
  const Interval hundred = RelativePrediction(line, 100000);
  EXPECT_NEAR(hundred.value / 1e6, 154.7, 0.05);
  EXPECT_NEAR(hundred.low / 1e6, 153.0, 0.05);
  EXPECT_NEAR(hundred.high / 1e6, 156.3, 0.05);
  EXPECT_EQ(std::floor(LargestWithin(line, 100e6)), 63979);
  EXPECT_NEAR((100e6 - line.intercept.value) / line.slope.value, 64660, 5);
  const LineFit power = FitLogLog(kChunks, kChunkBytes);
  EXPECT_NEAR(power.slope.value, 0.9992, 1e-4);
  EXPECT_NEAR(power.slope.low, 0.994, 5e-4);
  EXPECT_NEAR(power.slope.high, 1.004, 5e-4);
  EXPECT_GT(line.r_squared, 0.99999);
}

TEST(S1Chunks, LinearHighAndABudget) {
  FitRequest request;
  request.budget = 100e6;
  request.predict = {50000, 200000};
  const SeriesFit fit = Fit(kChunks, kChunkBytes, request);
  EXPECT_EQ(fit.growth, Growth::kLinear);
  EXPECT_EQ(fit.word, Word::kHigh);
  EXPECT_NEAR(fit.law->b, 1547, 5);
  EXPECT_GT(fit.budget->n, 62000);
  EXPECT_LT(fit.budget->n, 64660);
  EXPECT_EQ(fit.predictions.size(), 1u);
  EXPECT_EQ(fit.refused.size(), 1u);
}

TEST(S2Encoder, TheTableDoesNotSupportItsLaw) {
  const LineFit all = FitLogLog(kFileMb, kPeakMb);
  EXPECT_NEAR(all.slope.value, 0.0180, 1e-4);
  EXPECT_NEAR(all.slope.low, 0.0086, 1e-4);
  EXPECT_NEAR(all.slope.high, 0.0274, 2e-4);
  EXPECT_NEAR(all.intercept.value, 3.946, 5e-4);
  EXPECT_NEAR(all.r_squared, 0.785, 5e-4);
  EXPECT_NEAR(all.p_value, 3.4e-3, 5e-5);
  const Interval hundred = all.PredictionAt(std::log(100.0), 1);
  EXPECT_NEAR(std::exp(hundred.value), 56.2, 0.05);
  EXPECT_NEAR(std::exp(hundred.low), 48.0, 0.05);
  EXPECT_NEAR(std::exp(hundred.high), 65.8, 0.05);
}

TEST(S2Encoder, WhereItsFourClaimsComeFrom) {
  const LineFit four = FitLogLog({0.1, 1, 5, 10}, {43.07, 48.81, 54.18, 54.80});
  EXPECT_NEAR(four.slope.value, 0.05455, 1e-5);
  EXPECT_NEAR(four.intercept.value, 3.8897, 1e-4);
  EXPECT_NEAR(four.r_squared, 0.99047, 1e-5);
  EXPECT_NEAR(four.p_value, 4.78e-3, 1e-5);
  EXPECT_NEAR(four.slope.low, 0.038, 5e-4);
  EXPECT_NEAR(four.slope.high, 0.071, 5e-4);
  const Interval hundred = four.PredictionAt(std::log(100.0), 1);
  EXPECT_NEAR(std::exp(hundred.value), 62.9, 0.05);
  EXPECT_NEAR(std::exp(hundred.low), 57.2, 0.05);
  EXPECT_NEAR(std::exp(hundred.high), 69.1, 0.05);
}

TEST(S2Encoder, ModelComparison) {
  const double power = FitLogLog(kFileMb, kPeakMb).rss;
  double constant = 0, mean = 0;
  for (double y : kPeakMb) mean += std::log(y) / 8;
  for (double y : kPeakMb) constant += (std::log(y) - mean) * (std::log(y) - mean);
  EXPECT_NEAR(PlainAicc(constant, 8, 1) - PlainAicc(power, 8, 2), 6.7, 0.05);
  EXPECT_TRUE(std::isinf(PlainAicc(1, 5, 3)));
}

TEST(S2Encoder, CvIsOfTheRowsThatHaveASpread) {
  const SeriesFit fit = FitSeries(EncoderRuns(), 1, {});
  ASSERT_TRUE(fit.series.cv.has_value());
  const Values cv = {0.024, 0.081, 0.219, 0.362, 0.154, 0.219};
  double mean = 0;
  for (size_t i = 0; i < kFileMb.size(); ++i) {
    const SizeStats& size = fit.series.sizes[i];
    EXPECT_EQ(size.sd.has_value(), i < 6);
    if (!size.sd.has_value()) continue;
    EXPECT_NEAR(*size.sd / size.mean * 100, cv[i], 5e-4);
    mean += *size.sd / size.mean * 100 / 6;
  }
  EXPECT_NEAR(mean, 0.175, 2e-3);
}

TEST(S2Encoder, ErraticWithReplicatesUndeterminedWithout) {
  FitRequest request;
  request.predict = {100e6};
  const SeriesFit runs = FitSeries(EncoderRuns(), 1, request);
  EXPECT_EQ(runs.growth, Growth::kErratic);
  EXPECT_TRUE(HasFlag(runs, "lack of fit"));
  EXPECT_TRUE(runs.predictions.empty());
  std::vector<Measurement> means;
  for (size_t i = 0; i < kFileMb.size(); ++i) {
    means.push_back({kFileMb[i] * 1e6, kPeakMb[i] * 1e6});
  }
  const SeriesFit single = FitSeries(means, 1, request);
  EXPECT_EQ(single.growth, Growth::kUndetermined);
  ASSERT_TRUE(single.group.has_value());
  EXPECT_EQ(*single.group, Group::kSublinear);
  EXPECT_NEAR(single.weights[static_cast<size_t>(Growth::kLogarithmic)], 0.68, 0.1);
  EXPECT_NEAR(single.weights[static_cast<size_t>(Growth::kSublinear)], 0.29, 0.1);
  EXPECT_TRUE(single.predictions.empty());
  EXPECT_FALSE(single.refusal.empty());
  EXPECT_TRUE(HasFlag(single, "non-monotone"));
}

TEST(S3Agents, OneSizeIsNoLaw) {
  const SeriesFit fit = Fit({50}, {100e6});
  EXPECT_EQ(fit.word, Word::kNotEnoughData);
  EXPECT_EQ(fit.growth, Growth::kUndetermined);
}

}  // namespace
}  // namespace mallogram::fit
