// Intervals of sampled recordings: known values, and how often they hold the truth.
#include "analyzer/recording/estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

namespace mallogram {
namespace {

constexpr uint64_t kInterval = 64 << 10;

TEST(Estimate, ABlockStandsForOneOverItsProbability) {
  Estimate sum;
  sum.Add(kInterval, kInterval);
  const double p = 1 - std::exp(-1.0);
  EXPECT_DOUBLE_EQ(sum.blocks, 1 / p);
  EXPECT_DOUBLE_EQ(sum.bytes, kInterval / p);
  EXPECT_DOUBLE_EQ(sum.blocks_variance, (1 - p) / (p * p));
  EXPECT_DOUBLE_EQ(sum.bytes_variance,
                   double{kInterval} * kInterval * (1 - p) / (p * p));
  sum.Add(0, kInterval);  // counts as a byte
  EXPECT_NEAR(sum.blocks, 1 / p + kInterval, 1);
  EXPECT_DOUBLE_EQ(sum.bytes, kInterval / p);
  sum.Remove(0, kInterval);
  EXPECT_EQ(sum.samples, 1u);
  sum.Remove(kInterval, kInterval);
  EXPECT_EQ(sum.blocks, 0);
  EXPECT_EQ(sum.bytes_variance, 0);
}

// Garwood's limits for a count k, from his table: small blocks stand for one
// interval of bytes each.
TEST(Estimate, SmallBlocksHavePoissonLimits) {
  const struct {
    int k;
    double low, high;
  } kKnown[] = {{0, 0, 3.689},       {1, 0.0253, 5.572},  {2, 0.2422, 7.225},
                {5, 1.6235, 11.668}, {10, 4.795, 18.390}, {50, 37.111, 65.919}};
  constexpr uint64_t kFar = uint64_t{1} << 30;
  for (const auto& known : kKnown) {
    Estimate sum;
    for (int i = 0; i < known.k; ++i) sum.Add(8, kFar);
    const Interval bytes = BytesInterval(sum, kFar);
    EXPECT_NEAR(static_cast<double>(bytes.low) / kFar, known.low, 0.0006)
        << known.k;
    EXPECT_NEAR(static_cast<double>(bytes.high) / kFar, known.high, 0.0006)
        << known.k;
    const Interval blocks = BlocksInterval(sum, 8, kFar);
    EXPECT_NEAR(static_cast<double>(blocks.high) * 8 / kFar, known.high, 0.0006)
        << known.k;
  }
}

TEST(Estimate, LargeBlocksAreCertain) {
  Estimate sum;
  constexpr uint64_t kSize = 100 * kInterval;
  for (int i = 0; i < 3; ++i) sum.Add(kSize, kInterval);
  const Interval blocks = BlocksInterval(sum, kSize, kInterval);
  EXPECT_EQ(blocks.low, 3u);
  EXPECT_LE(blocks.high, 4u);
  const Interval bytes = BytesInterval(sum, kInterval);
  EXPECT_EQ(bytes.low, 3 * kSize);
  EXPECT_LT(bytes.high, 3 * kSize + 4 * kInterval);  // small ones may be unseen
}

TEST(Estimate, AnythingElseIsANumber) {
  for (const double value : {0.0, 1e-300, 1.0, 1e18, 1e50}) {
    for (const double variance : {0.0, 1e-300, 1.0, 1e18, 1e50}) {
      Estimate sum;
      sum.samples = 1;
      sum.blocks = sum.bytes = value;
      sum.blocks_variance = sum.bytes_variance = variance;
      const Interval bytes = BytesInterval(sum, kInterval);
      EXPECT_LE(bytes.low, bytes.high) << value << ' ' << variance;
      BlocksInterval(sum, UINT64_MAX, kInterval);
      BlocksInterval(sum, 0, uint64_t{1} << 62);
    }
  }
}

// One site's blocks, sampled again and again.
struct Mixture {
  const char* name;
  int blocks;
  std::function<uint64_t(int)> size;
  double least_bytes, least_blocks;  // coverage that must be reached
};

TEST(Estimate, CoverageBySimulation) {
  constexpr int kRuns = 4000;
  // With one standard error of 0.35 %: 94 % is 95 % less three of them. Where the
  // sizes of few blocks differ much, the model is an approximation; see the second
  // figure of those.
  const Mixture kMixtures[] = {
      {"one small", 1, [](int) { return 1000; }, .94, .94},
      {"64 small", 64, [](int) { return 1000; }, .94, .94},
      {"tiny", 200'000, [](int i) { return 1 + i % 20 * 5; }, .94, .94},
      {"small", 4000, [](int i) { return 100 + i % 60 * 37; }, .94, .94},
      {"medium", 400, [](int i) { return 4000 + i % 50 * 500; }, .94, .94},
      {"around", 150, [](int i) { return 20'000 + i % 90 * 1000; }, .94, .94},
      {"large", 40, [](int i) { return 100'000 + i % 20 * 50'000; }, .94, .93},
      {"few large", 10, [](int i) { return 100'000 + i % 5 * 200'000; }, .94, .92},
      {"one around", 1, [](int) { return kInterval; }, .94, .94},
      {"small and large", 400, [](int i) { return i % 10 == 0 ? 400'000 : 2000; },
       .94, .93},
      {"chain", 5000, [](int i) { return (i % 10 + 1) * 200; }, .94, .94},
  };
  std::mt19937_64 random(20261121);
  for (const Mixture& mixture : kMixtures) {
    uint64_t bytes = 0;
    std::vector<double> p;
    for (int i = 0; i < mixture.blocks; ++i) {
      bytes += mixture.size(i);
      p.push_back(SampleProbability(mixture.size(i), kInterval));
    }
    const int runs = mixture.blocks > 10'000 ? kRuns / 20 : kRuns;
    int bytes_hit = 0, blocks_hit = 0, with_samples = 0;
    double blocks_mean = 0, bytes_mean = 0, blocks_variance = 0, bytes_variance = 0;
    std::uniform_real_distribution<double> uniform;
    for (int run = 0; run < runs; ++run) {
      SiteEstimate site;
      for (int i = 0; i < mixture.blocks; ++i) {
        if (uniform(random) >= p[static_cast<size_t>(i)]) continue;
        SiteEstimate one;
        one.smallest = mixture.size(i);
        one.allocated.Add(one.smallest, kInterval);
        site.Add(one);
      }
      blocks_mean += site.allocated.blocks / runs;
      bytes_mean += site.allocated.bytes / runs;
      blocks_variance += site.allocated.blocks_variance / runs;
      bytes_variance += site.allocated.bytes_variance / runs;
      const Interval of_bytes = BytesInterval(site.allocated, kInterval);
      bytes_hit += of_bytes.low <= bytes && bytes <= of_bytes.high;
      if (site.allocated.samples == 0) continue;  // no sample, no size, no site
      ++with_samples;
      const Interval of_blocks =
          BlocksInterval(site.allocated, site.smallest, kInterval);
      const auto blocks = static_cast<uint64_t>(mixture.blocks);
      blocks_hit += of_blocks.low <= blocks && blocks <= of_blocks.high;
    }
    const double of_bytes = static_cast<double>(bytes_hit) / runs;
    const double of_blocks = static_cast<double>(blocks_hit) / with_samples;
    printf("%-16s bytes %.1f %%, blocks %.1f %%\n", mixture.name, 100 * of_bytes,
           100 * of_blocks);
    EXPECT_GE(of_bytes, mixture.least_bytes - (runs < kRuns ? .04 : 0))
        << mixture.name;
    EXPECT_GE(of_blocks, mixture.least_blocks - (runs < kRuns ? .04 : 0))
        << mixture.name;
    // Unbiased, the variances too: within five standard errors of the means.
    EXPECT_NEAR(bytes_mean, static_cast<double>(bytes),
                5 * std::sqrt(bytes_variance / runs) + 1)
        << mixture.name;
    EXPECT_NEAR(blocks_mean, mixture.blocks, 5 * std::sqrt(blocks_variance / runs))
        << mixture.name;
  }
}

}  // namespace
}  // namespace mallogram
