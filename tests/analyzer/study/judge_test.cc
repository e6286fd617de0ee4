// Criteria, --fail-on and statistics, on studies with planted outcomes.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "analyzer/study/judge/criteria.h"
#include "analyzer/study/judge/fail_on.h"
#include "analyzer/study/judge/statistics.h"
#include "tests/analyzer/study/made_study.h"

namespace mallogram::study {
namespace {

constexpr char kTable[] = R"(program = "prog"
[[table]]
id = "t"
arguments = ["{n}"]
n = [100, 316, 1000, 3160, 10000, 31600]
reps = 3
unit = "thing"
predict = [100000]
budget = "1MB"
unit-budget = "50"
residual = {before = "0", high = "at.stored", after = "at.closed"}
)";

// One criterion; `rest` has its value, n and target.
std::string WithCriterion(const std::string& rest) {
  return absl::StrCat(kTable, "[[criterion]]\nname = \"c\"\ntable = \"t\"\n", rest);
}

double Linear(double n, uint32_t) { return 40 * n; }
double Quadratic(double n, uint32_t) { return n * n; }
double Constant(double, uint32_t) { return 50000; }
// ±5 %, in a way that its mean is exact.
double Scattered(double n, uint32_t rep) { return 40 * n * (0.9 + 0.05 * rep); }

CriterionResult Judge(const std::string& criterion,
                      double (*bytes)(double, uint32_t), double left = 0) {
  const StudySpec spec = MadeSpec(WithCriterion(criterion));
  const StudyMeasures measures = {
      {MadeVariant(spec.tables.at(0), {{"Fill", bytes}}, left)}};
  const StudyResult result = MadeResult(spec, measures);
  EXPECT_EQ(result.criteria.size(), 1u);
  return result.criteria.empty() ? CriterionResult() : result.criteria[0];
}

TEST(Statistics, OfReplicates) {
  const Statistics s = Summarize({4, 1, 3, 2});
  EXPECT_EQ(s.median, 2.5);
  EXPECT_EQ(s.p25, 1.75);
  EXPECT_EQ(s.mean, 2.5);
  EXPECT_NEAR(*s.sd, 1.290994, 1e-6);                   // R: sd(1:4)
  EXPECT_NEAR(IntervalOfMean(s).low, 0.4457397, 1e-6);  // R: t.test(1:4)
  EXPECT_FALSE(Summarize({7}).sd.has_value());
  EXPECT_EQ(IntervalOfMean(Summarize({7, 7, 7})).high, 7);
}

TEST(Criteria, ExactValuesPassOrFail) {
  EXPECT_EQ(
      Judge("value = \"peak\"\nn = 1000\ntarget = \"<= 40kB\"", Linear).status,
      Status::kPass);
  EXPECT_EQ(Judge("value = \"peak\"\nn = 1000\ntarget = \"< 40kB\"", Linear).status,
            Status::kFail);
  EXPECT_EQ(
      Judge("value = \"peak / n\"\nn = 1000\ntarget = \"= 40\"", Linear).status,
      Status::kPass);
  EXPECT_EQ(
      Judge("value = \"peak / n\"\nn = 1000\ntarget = \"= 41\"", Linear).status,
      Status::kFail);
  const CriterionResult result =
      Judge("value = \"peak\"\nn = 1000\ntarget = \"< 1MB\"", Linear);
  EXPECT_EQ(result.measured, "39.1 KiB");
  EXPECT_EQ(result.interval, "");
}

TEST(Criteria, WithoutASizeTheWorstCounts) {
  const CriterionResult result =
      Judge("value = \"peak\"\ntarget = \"< 1MB\"", Linear);
  EXPECT_EQ(result.status, Status::kFail);
  EXPECT_TRUE(absl::StrContains(result.measured, "n = 31,600")) << result.measured;
  EXPECT_EQ(Judge("value = \"peak\"\ntarget = \"< 10MB\"", Linear).status,
            Status::kPass);
}

TEST(Criteria, TargetWithinTheIntervalIsUndecided) {
  // 38, 40, 42 kB: 40 ± 5.0.
  const auto judge = [](const char* target) {
    return Judge(
        absl::StrCat("value = \"peak\"\nn = 1000\ntarget = \"", target, "\""),
        Scattered);
  };
  EXPECT_EQ(judge("< 46kB").status, Status::kPass);
  EXPECT_EQ(judge("< 34kB").status, Status::kFail);
  EXPECT_EQ(judge("> 34kB").status, Status::kPass);
  const CriterionResult undecided = judge("< 42kB");
  EXPECT_EQ(undecided.status, Status::kUndecided);
  EXPECT_TRUE(absl::StrContains(undecided.reason, "not shown"));
  EXPECT_FALSE(undecided.interval.empty());
}

TEST(Criteria, PredictionsByTheirBound) {
  const auto judge = [](const char* n, const char* target) {
    return Judge(
        absl::StrCat("value = \"peak\"\nn = ", n, "\ntarget = \"", target, "\""),
        Linear);
  };
  EXPECT_EQ(judge("100000", "< 5MB").status, Status::kPass);
  EXPECT_EQ(judge("100000", "< 3MB").status, Status::kFail);
  // The value itself is on the good side; its upper bound is not.
  EXPECT_EQ(judge("100000", "< 4.001MB").status, Status::kUndecided);
  const CriterionResult refused = judge("100000000", "< 1GB");
  EXPECT_EQ(refused.status, Status::kUndecided);
  EXPECT_TRUE(absl::StrContains(refused.reason, "not measured")) << refused.reason;
}

TEST(Criteria, Laws) {
  EXPECT_EQ(Judge("law = true\ntarget = \"<= linear\"", Linear).status,
            Status::kPass);
  EXPECT_EQ(Judge("law = true\ntarget = \"< linear\"", Linear).status,
            Status::kFail);
  EXPECT_EQ(Judge("law = true\ntarget = \"<= linear\"", Quadratic).status,
            Status::kFail);
  EXPECT_EQ(Judge("law = true\ntarget = \"<= bounded\"", Constant).status,
            Status::kPass);
  fit::SeriesFit undetermined;
  undetermined.word = fit::Word::kUndetermined;
  EXPECT_EQ(JudgeLaw(undetermined, "<= linear").status, Status::kUndecided);
  // The class is open, the group is not: all of it is below.
  undetermined.group = fit::Group::kSublinear;
  undetermined.group_word = fit::Word::kHigh;
  EXPECT_EQ(JudgeLaw(undetermined, "<= linear").status, Status::kPass);
  EXPECT_EQ(JudgeLaw(undetermined, "<= logarithmic").status, Status::kUndecided);
  EXPECT_EQ(JudgeLaw(undetermined, "<= constant").status, Status::kFail);
}

TEST(Criteria, CvAndResidual) {
  EXPECT_EQ(Judge("cv = true\ntarget = \"< 1%\"", Linear).status, Status::kPass);
  EXPECT_EQ(Judge("cv = true\ntarget = \"< 1%\"", Scattered).status, Status::kFail);
  EXPECT_EQ(Judge("cv = true\ntarget = \"< 6%\"", Scattered).status,
            Status::kUndecided);
  EXPECT_EQ(Judge("residual = true\ntarget = \"< 10%\"", Linear, 0.05).status,
            Status::kPass);
  const CriterionResult left =
      Judge("residual = true\ntarget = \"< 10%\"", Linear, 0.244);
  EXPECT_EQ(left.status, Status::kFail);
  EXPECT_TRUE(absl::StartsWith(left.measured, "24.4 %")) << left.measured;
}

TEST(Criteria, ASingleResidentSetShowsNothing) {
  const StudySpec spec =
      MadeSpec(absl::StrReplaceAll(WithCriterion("value = \"rss\"\nn = 1000\n"
                                                 "target = \"< 1GB\""),
                                   {{"reps = 3", "reps = 1"}}));
  const StudyResult result =
      MadeResult(spec, {{MadeVariant(spec.tables.at(0), {{"Fill", Linear}})}});
  EXPECT_EQ(result.criteria.at(0).status, Status::kUndecided);
}

TEST(Analysis, NamesWhatARunDoesNotHave) {
  const StudySpec spec =
      MadeSpec(WithCriterion("value = \"at.kept\"\nn = 1000\ntarget = \"< 1GB\""));
  const absl::StatusOr<StudyResult> result =
      Analyze(spec, {{MadeVariant(spec.tables.at(0), {{"Fill", Linear}})}});
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(absl::StrContains(result.status().message(),
                                "no phase \"kept\"; there are stored, closed"))
      << result.status();
}

std::vector<std::string> Failures(const std::string& list,
                                  double (*bytes)(double, uint32_t),
                                  double left = 0) {
  const StudySpec spec =
      MadeSpec(WithCriterion("value = \"peak\"\nn = 1000\ntarget = \"< 42kB\""));
  const StudyResult result =
      MadeResult(spec, {{MadeVariant(spec.tables.at(0), {{"Fill", bytes}}, left)}});
  const absl::StatusOr<std::vector<Failure>> failures = ParseFailOn(list);
  EXPECT_TRUE(failures.ok()) << failures.status();
  return failures.ok() ? FindFailures(result, *failures)
                       : std::vector<std::string>();
}

TEST(FailOn, FindsWhatHolds) {
  EXPECT_EQ(Failures("budget", Linear).size(), 1u);  // 31,600 things: 1.26 MB
  EXPECT_TRUE(
      Failures("budget", [](double n, uint32_t) { return 10 * n; }).empty());
  EXPECT_TRUE(Failures("law>linear", Linear).empty());
  EXPECT_EQ(Failures("law>linear", Quadratic).size(), 1u);
  EXPECT_TRUE(Failures("law>quadratic", Quadratic).empty());
  EXPECT_TRUE(Failures("criteria", Linear).empty());
  EXPECT_EQ(Failures("criteria", Quadratic).size(), 1u);
  EXPECT_EQ(Failures("undecided", Scattered).size(), 1u);
  EXPECT_TRUE(Failures("criteria", Scattered).empty());
  EXPECT_TRUE(Failures("residual>10%", Linear, 0.05).empty());
  EXPECT_EQ(Failures("residual>10%", Linear, 0.2).size(), 6u);
  EXPECT_TRUE(Failures("cv>1%", Linear).empty());
  EXPECT_EQ(Failures("cv>1%", Scattered).size(), 1u);
  EXPECT_EQ(Failures("alarm", Quadratic).size(), 1u);
  EXPECT_TRUE(Failures("alarm", Linear).empty());
  EXPECT_EQ(Failures("criteria,law>linear,alarm", Quadratic).size(), 3u);
}

TEST(FailOn, SaysWhatIsWrong) {
  for (const char* list : {"budgt", "law", "law>", "law>liner", "residual>x",
                           "residual>10", "budget>3", "", "alarm,"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseFailOn(list).status())) << list;
  }
}

}  // namespace
}  // namespace mallogram::study
