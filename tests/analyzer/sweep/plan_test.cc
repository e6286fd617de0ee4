// Sizes as people write them, what a plan means, and the estimate of the rest.
#include "analyzer/sweep/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "analyzer/sweep/progress.h"
#include "analyzer/sweep/sizes.h"

namespace mallogram {
namespace {

using Words = std::vector<std::string>;

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> Sizes(const std::string& text) {
  const auto sizes = ExpandSizes(absl::StrSplit(text, ','));
  EXPECT_TRUE(sizes.ok()) << sizes.status();
  return sizes.ok() ? *sizes : std::vector<std::string>();
}

std::string Refusal(const std::string& text) {
  const auto sizes = ExpandSizes(absl::StrSplit(text, ','));
  EXPECT_TRUE(absl::IsInvalidArgument(sizes.status())) << text;
  return std::string(sizes.status().message());
}

TEST(Sizes, AreSortedAndUnitsAreWrittenOut) {
  EXPECT_EQ(Sizes("50,1,5"), Words({"1", "5", "50"}));
  EXPECT_EQ(Sizes("10k,1.5M,64Ki,2K,1G"),
            Words({"2000", "10000", "65536", "1500000", "1000000000"}));
  EXPECT_EQ(Sizes("0.5k,0.0015k"), Words({"1.5", "500"}));
}

TEST(Sizes, ThatHaveNoUnitStayAsWritten) {
  EXPECT_EQ(Sizes("1e3,007,0.50"), Words({"0.50", "007", "1e3"}));
}

TEST(Sizes, OutOfRangeOrTwiceAreRefused) {
  for (const char* text : {"0", "-5", "", "ten", "nan", "inf", "0x10", "1,,2", "5q",
                           "k", "1e300", "1e-400", "1 2"}) {
    EXPECT_PRED2(Has, Refusal(text), "is not a size") << text;
  }
  EXPECT_PRED2(Has, Refusal("1000,5,1k"), "given twice");
  EXPECT_PRED2(Has, Refusal("10,1..10:3"), "given twice");
}

TEST(Ranges, AreGeometricAndWhole) {
  EXPECT_EQ(Sizes("1..1000:7"),
            Words({"1", "3", "10", "32", "100", "316", "1000"}));
  EXPECT_EQ(Sizes("1..1000"), Sizes("1..1000:7"));
  EXPECT_EQ(Sizes("1k..100k:3"), Words({"1000", "10000", "100000"}));
  EXPECT_EQ(Sizes("0.1..1.6:3").front(), "0.1");
  EXPECT_EQ(Sizes("0.1..1.6:3").back(), "1.6");
  EXPECT_EQ(Sizes("5..6:2"), Words({"5", "6"}));
  EXPECT_EQ(Sizes("1..10:10"),
            Words({"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}));
  EXPECT_EQ(Sizes("1..100:3,5000"), Words({"1", "10", "100", "5000"}));
}

// The largest distance of two sizes from a common grid of powers of two.
double SpreadOfPhases(const std::vector<std::string>& sizes) {
  double spread = 0;
  for (const std::string& a : sizes) {
    for (const std::string& b : sizes) {
      const double octaves = std::log2(SizeValue(a) / SizeValue(b));
      spread = std::max(spread, std::abs(octaves - std::round(octaves)));
    }
  }
  return spread;
}

TEST(Ranges, KeepOffPowersOfTwo) {
  for (const char* text : {"1000..64000:7", "100..25600:5", "16..1024:4",
                           "1000..8000:4", "1000..1024000:11", "1..64:7"}) {
    const Words sizes = Sizes(text);
    EXPECT_GT(SpreadOfPhases(sizes), 0.1) << text;
    for (size_t i = 1; i < sizes.size(); ++i) {
      EXPECT_GT(SizeValue(sizes[i]), 1.2 * SizeValue(sizes[i - 1])) << text;
    }
  }
}

TEST(Ranges, ThatCannotBeAreRefused) {
  EXPECT_PRED2(Has, Refusal("100..1:5"), "smaller to the larger");
  EXPECT_PRED2(Has, Refusal("5..5:2"), "smaller to the larger");
  EXPECT_PRED2(Has, Refusal("1..5:9"), "no 9 whole numbers from 1 to 5");
  EXPECT_PRED2(Has, Refusal("1..100:1"), "2 to 1000 sizes");
  EXPECT_PRED2(Has, Refusal("1..100:x"), "2 to 1000 sizes");
  EXPECT_PRED2(Has, Refusal("1..:5"), "\"1..:5\" is not a size");
  EXPECT_PRED2(Has, Refusal("0..10:5"), "is not a size");
}

TEST(Parameter, IsNameAndSizes) {
  const auto parameter = ParseParameter("sessions=1,5..9:3");
  ASSERT_TRUE(parameter.ok());
  EXPECT_EQ(parameter->first, "sessions");
  EXPECT_EQ(parameter->second, Words({"1", "5..9:3"}));
  for (const char* text : {"", "n", "n=", "=1", "a b=1", "{n}=1"}) {
    EXPECT_FALSE(ParseParameter(text).ok()) << text;
  }
}

SweepPlan Plan(std::vector<std::string> command) {
  SweepPlan plan;
  plan.directory = "/runs";
  plan.command = std::move(command);
  plan.sizes = {"10", "1k"};
  plan.reps = 2;
  return plan;
}

std::string PlanRefusal(const SweepPlan& plan) {
  return std::string(CheckPlan(plan).status().message());
}

TEST(Plan, ReplacesKnownNamesAlone) {
  SweepPlan plan = Plan({"awk", "{print} {n}{}{n", "--x={n},{mode}", "{rep}{dir}"});
  plan.constants = {{"mode", "{n}fast"}};
  EXPECT_EQ(
      RunCommand(plan, {"10", 2}),
      Words({"awk", "{print} 10{}{n", "--x=10,{n}fast", "2/runs/n=10,rep=2"}));
  EXPECT_EQ(RunCommand(Plan({"jq", "{a: {n}}", "{{n}}"}), {"5", 1}),
            Words({"jq", "{a: 5}", "{5}"}));
}

TEST(Plan, RunsAllSizesBeforeTheNextReplicate) {
  Words names;
  const SweepPlan plan = Plan({"p"});
  for (const RunKey& key : RunOrder(plan)) names.push_back(RunName(plan, key));
  EXPECT_EQ(names, Words({"n=10,rep=1", "n=1k,rep=1", "n=10,rep=2", "n=1k,rep=2"}));
}

TEST(Plan, IsChecked) {
  EXPECT_TRUE(CheckPlan(Plan({"p", "{n}"})).ok());
  EXPECT_EQ(CheckPlan(Plan({"p", "{n}"}))->sizes, Words({"10", "1000"}));
  EXPECT_PRED2(Has, PlanRefusal(Plan({"p", "{m}"})), "{n} does not occur");
  EXPECT_PRED2(Has, PlanRefusal(Plan({})), "no program");
  SweepPlan plan = Plan({"p"});
  plan.input = "in-{n}.txt";
  EXPECT_TRUE(CheckPlan(plan).ok());
  plan.constants = {{"unused", "1"}};
  EXPECT_PRED2(Has, PlanRefusal(plan), "{unused} does not occur");
  plan.constants = {{"n", "1"}};
  EXPECT_PRED2(Has, PlanRefusal(plan), "both the parameter and a constant");
  plan = Plan({"p", "{rep}"});
  plan.parameter = "rep";
  EXPECT_PRED2(Has, PlanRefusal(plan), "number of the replicate");
  plan = Plan({"p", "{n}"});
  plan.reps = 0;
  EXPECT_PRED2(Has, PlanRefusal(plan), "replicates");
}

TEST(Plan, DifferencesAreNamedButMoreRunsAreNone) {
  const SweepPlan plan = Plan({"p", "{n}"});
  EXPECT_EQ(PlanDifference(plan, plan), "");
  SweepPlan more = plan;
  more.sizes.push_back("5k");
  more.reps = 9;
  more.jobs = 4;
  EXPECT_EQ(PlanDifference(plan, more), "");
  EXPECT_PRED2(Has, PlanDifference(more, plan), "n=5k");
  SweepPlan other = plan;
  other.reps = 1;
  EXPECT_PRED2(Has, PlanDifference(plan, other), "2 replicates");
  other = Plan({"q", "{n}"});
  EXPECT_PRED2(Has, PlanDifference(plan, other), "`p '{n}'`, not of `q '{n}'`");
  other = plan;
  other.record_options = {"--sample=512K"};
  EXPECT_PRED2(Has, PlanDifference(plan, other), "none, not `--sample=512K`");
}

TEST(Estimate, FollowsThePowerLawOfTheNearestSizes) {
  EXPECT_LT(EstimateSeconds({}, 10), 0);
  EXPECT_DOUBLE_EQ(EstimateSeconds({{10, 2}}, 1000), 2);
  EXPECT_DOUBLE_EQ(EstimateSeconds({{10, 2}, {10, 4}}, 10), 3);
  EXPECT_NEAR(EstimateSeconds({{1, 5}, {10, 1}, {100, 10}}, 1000), 100, 1e-9);
  // Neither shrinking nor cubic: a few runs do not show that.
  EXPECT_DOUBLE_EQ(EstimateSeconds({{10, 4}, {100, 2}}, 1000), 2);
  EXPECT_NEAR(EstimateSeconds({{10, 1}, {100, 1000}}, 1000), 1e5, 1e-6);
}

}  // namespace
}  // namespace mallogram
