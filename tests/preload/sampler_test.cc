// The sampler, compiled from source: its draws against the distribution that they
// must have (fixed seeds), its set of addresses against a plain one.
#include "preload/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace mallogram {
namespace {

constexpr uint64_t kInterval = 512 << 10;

// Largest distance between the draws' distribution and the exponential one, times
// the root of their number: above 1.95 in one of a thousand tests (Kolmogorov).
double KolmogorovSmirnov(std::vector<uint64_t> draws, double interval) {
  std::sort(draws.begin(), draws.end());
  const auto count = static_cast<double>(draws.size());
  double worst = 0;
  for (size_t i = 0; i < draws.size(); ++i) {
    // A draw is rounded down: the middle of what it stands for.
    const double expected =
        -std::expm1(-(static_cast<double>(draws[i]) + .5) / interval);
    worst = std::max({worst, std::abs(static_cast<double>(i) / count - expected),
                      std::abs(static_cast<double>(i + 1) / count - expected)});
  }
  return worst * std::sqrt(count);
}

TEST(SampleDraw, GapsAreExponential) {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    for (const uint64_t interval :
         {uint64_t{64} << 10, kInterval, kMaxSampleInterval}) {
      SampleDraw draw{};
      draw.Seed(seed, 0);
      std::vector<uint64_t> gaps(200'000);
      for (uint64_t& gap : gaps) {
        draw.Renew(interval);
        gap = draw.left;
      }
      EXPECT_LT(KolmogorovSmirnov(gaps, static_cast<double>(interval)), 1.95)
          << seed;
      // One draw says nothing of the next.
      double products = 0;
      for (size_t i = 1; i < gaps.size(); ++i) {
        products +=
            (static_cast<double>(gaps[i]) / static_cast<double>(interval) - 1) *
            (static_cast<double>(gaps[i - 1]) / static_cast<double>(interval) - 1);
      }
      EXPECT_LT(std::abs(products) / std::sqrt(static_cast<double>(gaps.size())),
                4);
    }
  }
}

// The test of the test: what a slightly wrong generator would look like.
TEST(SampleDraw, KolmogorovSmirnovSeesOneInAHundred) {
  SampleDraw draw{};
  draw.Seed(1, 0);
  std::vector<uint64_t> gaps(200'000);
  for (uint64_t& gap : gaps) {
    draw.Renew(kInterval);
    gap = draw.left + draw.left / 80;
  }
  EXPECT_GT(KolmogorovSmirnov(gaps, kInterval), 1.95);
}

TEST(SampleDraw, StreamsDiffer) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint64_t stream = 0; stream < 20; ++stream) {
      SampleDraw draw{};
      draw.Seed(seed, stream);
      draw.Renew(kMaxSampleInterval);
      seen.insert(draw.left);
    }
  }
  EXPECT_EQ(seen.size(), 400u);
}

// Whatever comes between, a block of a size is followed with the same probability.
TEST(SampleDraw, EveryBlockHasItsProbability) {
  constexpr uint64_t kShort = 5000;
  const std::vector<size_t> sizes = {0, 1, 40, 1000, 5000, 20'000, 700};
  std::vector<int> followed(sizes.size());
  constexpr int kRounds = 300'000;
  SampleDraw draw{};
  draw.Seed(42, 0);
  draw.Renew(kShort);
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (draw.Pass(sizes[i])) continue;
      ++followed[i];
      draw.Renew(kShort);
    }
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    const double p =
        -std::expm1(-static_cast<double>(std::max<size_t>(sizes[i], 1)) / kShort);
    const double error = std::sqrt(p * (1 - p) * kRounds);
    EXPECT_NEAR(followed[i], p * kRounds, 4.5 * error) << sizes[i];
  }
}

TEST(SampleDraw, RefusedAndAbsurdSizesChangeNothing) {
  SampleDraw draw{};
  draw.left = 100;
  for (const size_t size : {size_t{101}, SIZE_MAX, SIZE_MAX / 2 + 5}) {
    EXPECT_FALSE(draw.Pass(size));
    EXPECT_EQ(draw.left, 100u);
  }
  EXPECT_TRUE(draw.Pass(100));
  EXPECT_FALSE(draw.Pass(0));
  // Threads that have drawn nothing yet.
  EXPECT_FALSE(t_draw->Pass(0));
  EXPECT_FALSE(t_draw->Pass(1));
}

const void* Address(uint64_t address) {
  return reinterpret_cast<const void*>(address);
}

class Blocks : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(g_sampled.Init()); }
  void TearDown() override {
    for (const uint64_t address : inside_) g_sampled.Take(Address(address));
  }
  std::set<uint64_t> inside_;
};

TEST_F(Blocks, AreThoseThatWereAdded) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 300'000; ++i) {
    const uint64_t address = 0x7f0000000000 + random() % 40'000 * 16;
    if (inside_.count(address) != 0) {
      EXPECT_TRUE(g_sampled.MayHold(Address(address)));
      EXPECT_TRUE(g_sampled.Take(Address(address)));
      inside_.erase(address);
    } else {
      EXPECT_FALSE(g_sampled.Take(Address(address)));
      EXPECT_TRUE(g_sampled.Add(Address(address)));
      inside_.insert(address);
    }
  }
  for (uint64_t at = 0; at < 40'000; ++at) {
    const uint64_t address = 0x7f0000000000 + at * 16;
    EXPECT_EQ(g_sampled.Take(Address(address)), inside_.erase(address) == 1);
  }
  // Pages that never had 255 at once are free again.
  EXPECT_FALSE(g_sampled.MayHold(Address(0x400000)));
}

TEST_F(Blocks, OfOnePageMayBeAll) {
  for (uint64_t at = 0; at < 4096; at += 8) {
    EXPECT_TRUE(g_sampled.Add(Address(0x1000000 + at)));
  }
  for (uint64_t at = 0; at < 4096; at += 8) {
    EXPECT_TRUE(g_sampled.Take(Address(0x1000000 + at)));
    EXPECT_FALSE(g_sampled.Take(Address(0x1000000 + at)));
  }
}

// Full: refused, and what is in stays in.
TEST_F(Blocks, WithoutRoomAreRefused) {
  uint64_t address = 0x10000;
  uint64_t refused = 0;
  for (; refused < 1000; address += 64) {
    if (g_sampled.Add(Address(address))) {
      inside_.insert(address);
    } else {
      ++refused;
      EXPECT_FALSE(g_sampled.Take(Address(address)));
    }
    ASSERT_LT(inside_.size(), 3u << 20);
  }
  EXPECT_GT(inside_.size(), 1u << 20);
  for (const uint64_t there : inside_) ASSERT_TRUE(g_sampled.Take(Address(there)));
  inside_.clear();
}

TEST_F(Blocks, AreSharedByThreads) {
  // Each thread adds its own and takes those of the one before: all exactly once.
  constexpr int kThreads = 4, kEach = 20'000, kRounds = 5;
  const auto address = [](int thread, int i) {
    return Address(
        0x5500000000 +
        (static_cast<uint64_t>(i) * kThreads + static_cast<uint64_t>(thread)) * 48);
  };
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::thread> threads;
    std::atomic<int> taken{0};
    std::atomic<int> added[kThreads] = {};
    for (int self = 0; self < kThreads; ++self) {
      threads.emplace_back([&, self] {
        const int other = (self + 1) % kThreads;
        for (int i = 0; i < kEach; ++i) {
          g_sampled.Add(address(self, i));
          added[self].store(i + 1, std::memory_order_release);
          while (added[other].load(std::memory_order_acquire) <= i) {
            std::this_thread::yield();
          }
          taken += g_sampled.Take(address(other, i)) ? 1 : 0;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(taken.load(), kThreads * kEach);
  }
}

}  // namespace
}  // namespace mallogram
