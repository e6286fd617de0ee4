// The statistics of growth against values computed elsewhere, the recorder of
// courses against a plain count, and the labels where a single rule decides.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "analyzer/leaks/growth/course.h"
#include "analyzer/leaks/growth/label.h"
#include "analyzer/leaks/growth/trend.h"
#include "tests/analyzer/leaks/growth/kinds.h"

namespace mallogram::growth_test {
namespace {

TEST(Trend, MannKendall) {
  // Computed by another program. S = 52, Var S = 638 / 3; nothing is remembered.
  EXPECT_NEAR(MannKendallRises({2, 1, 4, 3, 7, 5, 6, 9, 8, 12, 10, 11}),
              2.3508464e-4, 1e-10);
  // With ties: S = 38, Var S = 122.
  EXPECT_NEAR(MannKendallRises({1, 1, 2, 2, 3, 5, 4, 4, 6, 7}), 4.0431665e-4,
              1e-10);
  // S = 39, Var S = 125, 1.38889 times as much by Hamed and Rao; 3.4e-4 without.
  EXPECT_NEAR(MannKendallRises({1, 3, 2, 4, 6, 5, 7, 9, 8, 10}), 1.96331106e-3,
              1e-10);
  EXPECT_EQ(MannKendallRises({5, 4, 3, 2, 1, 0}), 1);
  EXPECT_EQ(MannKendallRises({1, 1, 1, 1, 1, 1}), 1);
  EXPECT_EQ(MannKendallRises({1, 2, 3}), 1);  // too short
}

TEST(Trend, SenIsNotMovedByOutliers) {
  const std::vector<double> x = {0, 1, 2, 3, 4, 5, 6};
  const Slope slope = TheilSen(x, {0, 2, 4, 600, 8, 10, 12});
  EXPECT_EQ(slope.value, 2);
  EXPECT_LE(slope.low, 2);
  EXPECT_GE(slope.high, 2);
  EXPECT_EQ(TheilSen({1, 1, 1}, {1, 2, 3}).value, 0);
}

TEST(Trend, Drift) {
  // t = 2 / (sqrt(2.5) / sqrt(5)) = 2.8284 with 4 degrees of freedom.
  EXPECT_NEAR(DriftRises({0, 1, 2, 3, 4}), 0.02371, 1e-5);
  EXPECT_EQ(DriftRises({1, 1, 1}), 0);
  EXPECT_EQ(DriftRises({-1, 1, 0}), 1);
}

TEST(Trend, ComesOftener) {
  EXPECT_NEAR(ComesOftener(10, 0), 1.0 / 1024, 1e-12);
  EXPECT_NEAR(ComesOftener(2, 1), 0.5, 1e-12);
  EXPECT_EQ(ComesOftener(0, 3), 1);
  EXPECT_NEAR(ComesOftener(550, 500), 0.0652, 1e-3);  // normal; exact 0.06523
}

// Mann and Kendall without the correction calls half of such series rising or
// falling; drift is what keeps random walks out.
TEST(Trend, RandomWalksDoNotRise) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> noise;
  int kendall = 0, both = 0;
  for (int run = 0; run < 1000; ++run) {
    std::vector<double> walk = {0}, steps;
    for (int i = 0; i < 24; ++i) {
      steps.push_back(noise(random));
      walk.push_back(walk.back() + steps.back());
    }
    const double p = MannKendallRises(walk);
    kendall += p < 0.01;
    both += std::max(p, DriftRises(steps)) < 0.01;
  }
  EXPECT_GT(kendall, 50);
  EXPECT_LE(both, 20);
}

TEST(CourseRecorder, AgreesWithAPlainCount) {
  std::mt19937_64 random(3);
  constexpr uint64_t kCalls = 1000;
  CourseRecorder recorder({kCalls, 3});
  struct Block {
    uint8_t cohort;
    uint64_t bytes;
  };
  std::vector<Block> alive;
  std::vector<std::vector<uint32_t>> tables;  // of every cohort's end
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < kCalls; ++i) {
    alive.push_back({recorder.Allocate(0, i, i), i});
    EXPECT_EQ(alive.back().cohort, tables.size());
    bytes += i;
    if (i + 1 == (tables.size() + 1) * kCalls / Course::kCohorts) {
      tables.emplace_back(tables.size() + 1);
      for (const Block& block : alive) ++tables.back()[block.cohort];
    }
    while (alive.size() > 50 || (!alive.empty() && random() % 2 == 0)) {
      std::swap(alive[random() % alive.size()], alive.back());
      recorder.Free(0, alive.back().cohort, alive.back().bytes);
      bytes -= alive.back().bytes;
      alive.pop_back();
    }
  }
  const std::vector<Course> courses = recorder.Finish(2000);
  const Course& course = courses[0];
  EXPECT_EQ(course.blocks, alive.size());
  EXPECT_EQ(course.bytes, bytes);
  EXPECT_EQ(course.end_ns, 2000u);
  ASSERT_EQ(course.cohorts.size(), Course::kCohorts);
  ASSERT_EQ(tables.size(), Course::kCohorts);
  for (size_t k = 0; k < tables.size(); ++k) {
    for (size_t j = 0; j <= k; ++j) {
      EXPECT_EQ(course.alive[Course::At(k, j)], tables[k][j]) << k << " " << j;
    }
  }
  uint64_t left = 0;
  for (const Course::Cohort& cohort : course.cohorts) left += cohort.left;
  EXPECT_EQ(left, alive.size());
  EXPECT_TRUE(courses[1].cohorts.empty());  // announced, and never came
}

SiteGrowth LabelOf(void (*run)(Script&)) {
  Script script(11);
  run(script);
  return LabelGrowth(script.Replay())[kTarget];
}

TEST(Labels, RatesOfALeak) {
  const SiteGrowth site = LabelOf([](Script& script) {
    for (int i = 0; i < 40'000; ++i) {
      script.Wait(90'000);  // and 10,000 of work: 0.1 ms in all
      script.Work();
      const uint32_t block = script.Allocate(kTarget, 1000);
      if (i % 100 != 0) script.Free(block);
    }
  });
  EXPECT_EQ(site.label, GrowthKind::kGrowing);
  EXPECT_LT(site.p_value, 1e-6);
  EXPECT_NEAR(site.bytes_per_allocation, 10, 0.5);
  EXPECT_NEAR(site.bytes_per_process_allocation, 10.0 / 3, 0.2);
  // 1,000 bytes in 100 rounds of 0.1 ms and a little: 0.1 MB a second.
  EXPECT_NEAR(site.bytes_per_hour.value, 3600 * 1e5, 3600 * 1.5e4);
  EXPECT_LE(site.bytes_per_hour.low, site.bytes_per_hour.value);
  EXPECT_GE(site.bytes_per_hour.high, site.bytes_per_hour.value);
  EXPECT_NEAR(static_cast<double>(site.grown_blocks), 400, 15);
}

TEST(Labels, OnsetOfALateLeak) {
  const SiteGrowth site = LabelOf([](Script& script) {
    for (int i = 0; i < 40'000; ++i) {
      script.Work();
      const uint32_t block = script.Allocate(kTarget, 64);
      if (i < 20'000 || i % 50 != 0) script.Free(block);
    }
  });
  EXPECT_EQ(site.label, GrowthKind::kGrowing);
  // Half of about 40,000 · 10 us.
  EXPECT_NEAR(static_cast<double>(site.onset_ns), 0.2e9, 0.03e9);
}

// What a program builds and then ends with looks like a leak, unless other work
// goes on or it takes long.
TEST(Labels, BuildingIsNoGrowth) {
  const SiteGrowth built = LabelOf([](Script& script) {
    for (int i = 0; i < 1000; ++i) {
      script.Allocate(kTarget, 64);
      script.Wait(1000);
    }
  });
  EXPECT_NE(built.label, GrowthKind::kGrowing);
  EXPECT_EQ(built.objection, Objection::kBuilding);
  const SiteGrowth slow = LabelOf([](Script& script) {
    for (int i = 0; i < 1000; ++i) {
      script.Allocate(kTarget, 64);
      script.Wait(10'000'000);
    }
  });
  EXPECT_EQ(slow.label, GrowthKind::kGrowing);
  // Many sites have a part in it, and a little comes and goes.
  const SiteGrowth tree = LabelOf([](Script& script) {
    for (int i = 0; i < 1000; ++i) {
      script.Allocate(kTarget, 64);
      for (int part = 0; part < 4; ++part) script.Allocate(kWork, 32);
      for (int part = 0; part < 4; ++part) script.Free(script.Allocate(kWork, 100));
      script.Wait(1000);
    }
  });
  EXPECT_EQ(tree.objection, Objection::kBuilding);
}

TEST(Labels, FreedInTheEndIsNoGrowth) {
  const SiteGrowth site = LabelOf([](Script& script) {
    std::vector<uint32_t> sessions;
    for (int i = 0; i < 20'000; ++i) {
      script.Work();
      if (i % 20 == 0) sessions.push_back(script.Allocate(kTarget, 64));
    }
    for (uint32_t session : sessions) script.Free(session);
  });
  EXPECT_EQ(site.label, GrowthKind::kChurning);
  EXPECT_EQ(site.objection, Objection::kFreed);
}

// Over thousands of sites that only come and go, chance finds no growth; one by one
// at 5 % it would find many.
TEST(Labels, FalseDiscoveriesAreHeldDown) {
  std::vector<Course> courses;
  int alone = 0;
  for (uint64_t site = 0; site < 2000; ++site) {
    Script script(site);
    std::vector<uint32_t> held;
    for (int i = 0; i < 400; ++i) {
      script.Work();
      held.push_back(script.Allocate(kTarget, 32));
      while (!held.empty() && script.Chance(0.5)) {
        std::swap(held[script.Whole(0, held.size() - 1)], held.back());
        script.Free(held.back());
        held.pop_back();
      }
    }
    courses.push_back(std::move(script.Replay()[kTarget]));
    alone += LabelGrowth({courses.back()})[0].p_value < 0.05;
  }
  int growing = 0;
  for (const SiteGrowth& site : LabelGrowth(courses)) {
    growing += site.label == GrowthKind::kGrowing;
  }
  EXPECT_EQ(growing, 0);
  RecordProperty("p below 0.05", alone);
}

}  // namespace
}  // namespace mallogram::growth_test
