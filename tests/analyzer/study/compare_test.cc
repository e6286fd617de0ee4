// Studies before and after, with planted changes; measures through JSON and back.
#include "analyzer/study/judge/compare.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/analyzer/study/made_study.h"

namespace mallogram::study {
namespace {

constexpr char kStudy[] = R"(program = "prog"
[[group]]
name = "g"
match = "Index"
[[table]]
id = "t"
title = "Growth"
arguments = ["{n}"]
n = [100, 316, 1000, 3160, 10000, 31600]
reps = 3
)";

double Linear(double n, uint32_t) { return 1000 * n; }
double Half(double n, uint32_t) { return 500 * n; }
double Quadratic(double n, uint32_t) { return n * n / 10; }
double Small(double n, uint32_t) { return 3 * n; }
double Noisy(double n, uint32_t rep) { return 1000 * n * (0.98 + 0.01 * rep); }

StudyComparison Compare(const std::vector<MadeSite>& old_sites,
                        const std::vector<MadeSite>& new_sites) {
  const StudySpec spec = MadeSpec(kStudy);
  const StudyMeasures before = {{MadeVariant(spec.tables.at(0), old_sites)}};
  const StudyMeasures after = {{MadeVariant(spec.tables.at(0), new_sites)}};
  return CompareStudies({"old", MadeResult(spec, before), before},
                        {"new", MadeResult(spec, after), after});
}

const SiteChange* Find(const StudyComparison& comparison,
                       const std::string& function) {
  for (const SiteChange& site : comparison.variants.at(0).sites) {
    if (site.function == function) return &site;
  }
  return nullptr;
}

TEST(Change, ExactAndWithIntervals) {
  const Change exact = CompareValues({200, 200, 200}, {150, 150, 150});
  EXPECT_TRUE(exact.exact);
  EXPECT_EQ(exact.difference, -50);
  EXPECT_EQ(*exact.share, -0.25);
  EXPECT_EQ(exact.low, exact.high);
  // Welch, by scipy: t.ppf(0.975, 3.669725) standard errors about 4.333.
  const Change welch = CompareValues({1, 2, 4}, {5, 6, 9});
  EXPECT_FALSE(welch.exact);
  EXPECT_NEAR(welch.low, 0.0433256, 1e-6);
  EXPECT_NEAR(welch.high, 8.6233410, 1e-6);
  EXPECT_FALSE(CompareValues({0}, {5}).share.has_value());
  EXPECT_TRUE(CompareValues({3}, {5}).single);
}

TEST(Compare, NamesTheLawThatChanged) {
  // The regression is 1 % of the program's bytes at most sizes: no law of the
  // program shows it.
  const StudyComparison comparison =
      Compare({{"Store", Linear}, {"Index", Small}},
              {{"Store", Linear}, {"Index", Quadratic}});
  const SiteChange* index = Find(comparison, "Index");
  ASSERT_NE(index, nullptr);
  EXPECT_TRUE(index->law.changed);
  EXPECT_TRUE(index->law.steeper);
  EXPECT_TRUE(absl::StartsWith(index->law.before, "linear")) << index->law.before;
  EXPECT_TRUE(absl::StartsWith(index->law.after, "quadratic")) << index->law.after;
  const SiteChange* store = Find(comparison, "Store");
  ASSERT_NE(store, nullptr);
  EXPECT_FALSE(store->law.changed);
  const std::string text = RenderCompareText(comparison, true, 100);
  EXPECT_TRUE(absl::StrContains(text, "site Index"));
  EXPECT_TRUE(absl::StrContains(text, ": linear → quadratic")) << text;
}

TEST(Compare, SmallerBiggerNewAndGone) {
  const StudyComparison comparison =
      Compare({{"Store", Linear}, {"Cache", Half}, {"Log", Small}},
              {{"Store", Half}, {"Index", Half}, {"Log", Half}});
  const VariantComparison& table = comparison.variants.at(0);
  ASSERT_EQ(table.sizes.size(), 6u);
  EXPECT_TRUE(table.sizes[0].value.exact);
  EXPECT_EQ(table.sizes[0].value.before, 150300);
  EXPECT_EQ(table.sizes[0].value.difference, -300);
  EXPECT_EQ(table.total->before, 46176 * 1503.0);
  EXPECT_EQ(Find(comparison, "Cache")->presence, SiteChange::Presence::kVanished);
  EXPECT_EQ(Find(comparison, "Index")->presence, SiteChange::Presence::kAppeared);
  EXPECT_EQ(*Find(comparison, "Store")->largest.share, -0.5);
  EXPECT_GT(Find(comparison, "Log")->largest.difference, 0);
  const std::string text = RenderCompareText(comparison, false, 100);
  EXPECT_TRUE(absl::StrContains(text, ", gone"));
  EXPECT_TRUE(absl::StrContains(text, ", new"));
  EXPECT_TRUE(absl::StrContains(RenderCompareJson(comparison), "\"vanished\""));
}

TEST(Compare, NoiseIsNoChange) {
  const StudyComparison comparison =
      Compare({{"Store", Noisy}}, {{"Store", [](double n, uint32_t rep) {
                                      return Noisy(n, 4 - rep) * 1.001;
                                    }}});
  const Change& change = comparison.variants.at(0).sizes.at(5).value;
  EXPECT_FALSE(change.exact);
  EXPECT_LT(change.low, 0);
  EXPECT_GT(change.high, 0);
  EXPECT_TRUE(absl::StrContains(RenderCompareText(comparison, true, 100),
                                "no change shown"));
}

TEST(Compare, UnsureVerdictsAreNoChange) {
  fit::SeriesFit linear, open;
  linear.growth = fit::Growth::kLinear;
  linear.word = fit::Word::kHigh;
  open.growth = fit::Growth::kUndetermined;
  open.word = fit::Word::kUndetermined;
  EXPECT_FALSE(CompareLaws(&linear, &open).changed);
  EXPECT_FALSE(CompareLaws(&linear, &open).firm);
}

TEST(Compare, SitesAreMatchedWithoutLines) {
  Runs runs;
  CallSite a;
  a.id = "1";
  a.function = "Fill";
  a.stack = {{"malloc", "", 0, true}, {"Fill", "x.cc", 1, false}};
  CallSite b = a;
  b.id = "2";
  b.stack[1].line = 9;
  b.stack[0].function = "operator new";
  runs.sites = {a, b};
  mallogram::Run run;
  run.n = 1;
  run.sites = {{0, {5, 0, 0, 0}}, {1, {7, 0, 0, 0}}};
  runs.runs = {run};
  const Runs merged = MergeByNames(runs);
  ASSERT_EQ(merged.sites.size(), 1u);
  EXPECT_EQ(merged.runs[0].sites[0].values[0], 12u);
}

TEST(Measures, SurviveJson) {
  const StudySpec spec = MadeSpec(kStudy);
  VariantMeasures made =
      MadeVariant(spec.tables.at(0), {{"Store", Linear}, {"Index", Small}}, 0.5);
  for (RunMeasures& run : made.runs) {
    run.groups = {{{1, 2, 3, 4}, {10, 20}}};
    run.phases[0].low -= 5;
  }
  MeasuresReader reader(spec);
  for (size_t i = 0; i < made.runs.size(); ++i) {
    const absl::Status status = reader.Add(RenderMeasures(spec, made, i), "dir");
    ASSERT_TRUE(status.ok()) << status;
  }
  const VariantMeasures read = reader.Take();
  ASSERT_EQ(read.runs.size(), made.runs.size());
  EXPECT_EQ(read.sites.sites.size(), 2u);
  EXPECT_EQ(read.sites.sites[1].stack[1].function, "Index");
  EXPECT_EQ(read.sites.sites[1].stack[0].plumbing, true);
  for (size_t i = 0; i < read.runs.size(); ++i) {
    EXPECT_EQ(read.runs[i].program, made.runs[i].program);
    EXPECT_EQ(read.runs[i].phases[0].low, made.runs[i].phases[0].low);
    EXPECT_EQ(read.runs[i].phases[1].bytes, made.runs[i].phases[1].bytes);
    EXPECT_EQ(read.runs[i].groups[0].values, made.runs[i].groups[0].values);
    EXPECT_EQ(read.runs[i].groups[0].phases, made.runs[i].groups[0].phases);
    EXPECT_EQ(read.runs[i].truth, made.runs[i].truth);
    EXPECT_EQ(read.sites.runs[i].sites[1].values,
              made.sites.runs[i].sites[1].values);
  }
}

TEST(Measures, OfOtherGroupsAreRefused) {
  const StudySpec spec = MadeSpec(kStudy);
  VariantMeasures made = MadeVariant(spec.tables.at(0), {{"Store", Linear}});
  for (RunMeasures& run : made.runs) run.groups = {{{1, 2, 3, 4}, {10, 20}}};
  const std::string json = RenderMeasures(spec, made, 0);
  StudySpec other = spec;
  other.groups[0].match = "Store";
  EXPECT_FALSE(MeasuresReader(other).Add(json, "dir").ok());
  EXPECT_FALSE(MeasuresReader(spec).Add("{}", "dir").ok());
  EXPECT_FALSE(MeasuresReader(spec).Add("not json", "dir").ok());
}

TEST(Truth, NumbersByPath) {
  const auto numbers = ReadTruth(
      "hello\n{\"a\": 1}\n{\"payload-bytes\": 7, \"x\": {\"y\": [2, 3.5]}, \"s\": "
      "\"no\"}\n");
  EXPECT_EQ(numbers.at("payload_bytes"), 7);
  EXPECT_EQ(numbers.at("x.y.1"), 3.5);
  EXPECT_EQ(numbers.size(), 3u);
  EXPECT_TRUE(ReadTruth("no json {").empty());
}

}  // namespace
}  // namespace mallogram::study
