// Call sites over several traces, and the analysis of hand-made runs. Real
// recordings: tests/e2e/laws_test.py.
#include "analyzer/scaling/scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analyzer/fit/fit_all.h"
#include "analyzer/scaling/runs_builder.h"
#include "analyzer/stacks/site_book.h"

namespace mallogram {
namespace {

// Functions of a module that is nowhere: they read "made+0x…", so that an address
// is a function.
constexpr uint64_t kMain = 0x10, kA = 0x20, kB = 0x30, kC = 0x40, kLeaf = 0x50;

class MadeTrace {
 public:
  // As the loader would have it: other ids, other addresses.
  explicit MadeTrace(uint32_t module_id = 1, uint32_t first = kFirstStackId)
      : next_(first) {
    trace_.path = "made.mgram";
    Module module;
    module.id = module_id;
    module.path = "/nowhere/made";
    module.build_id = "build";
    module.bias = 0x7f0000000000u + module_id * 0x1000u;
    trace_.modules.push_back(module);
  }

  // Frames outermost first; the stack's id.
  uint32_t Stack(const std::vector<uint64_t>& frames) {
    uint32_t parent = 0;
    for (const uint64_t offset : frames) {
      trace_.stacks[next_] = {parent, trace_.modules[0].id, offset};
      parent = next_++;
    }
    return parent;
  }
  void Add(const std::vector<uint64_t>& frames, uint64_t bytes) {
    SiteTotals totals;
    totals.stack = Stack(frames);
    totals.calls = 1;
    totals.peak_bytes = totals.bytes_allocated = bytes;
    trace_.summary.sites.push_back(totals);
    trace_.summary.totals.peak_heap_bytes += bytes;
    trace_.summary.totals.bytes_allocated += bytes;
    ++trace_.summary.totals.allocations;
  }
  Trace& trace() { return trace_; }

 private:
  Trace trace_;
  uint32_t next_;
};

std::string Folded(const std::vector<uint64_t>& frames) {
  MadeTrace made;
  const uint32_t stack = made.Stack(frames);
  StackBook table_book(SameLocation::kByText);
  SiteBook table(&table_book, SiteIdentity::kStack);
  table_book.Begin(made.trace());
  std::vector<std::string> functions;
  for (const StackFrame& frame : table.sites()[table.SiteOf(stack)].stack)
    functions.push_back(frame.function);
  return absl::StrJoin(functions, " ");
}

TEST(Folding, RecursionLeavesNoTrace) {
  const std::string plain = "made+0x50 made+0x20 made+0x10";
  EXPECT_EQ(Folded({kMain, kA, kLeaf}), plain);
  EXPECT_EQ(Folded({kMain, kA, kA, kA, kLeaf}), plain);
  // In turn, and irregularly.
  EXPECT_EQ(Folded({kMain, kA, kB, kA, kB, kA, kLeaf}), plain);
  EXPECT_EQ(Folded({kMain, kA, kB, kC, kB, kC, kA, kLeaf}), plain);
  const std::string mutual = "made+0x50 made+0x30 made+0x20 made+0x10";
  EXPECT_EQ(Folded({kMain, kA, kB, kLeaf}), mutual);
  EXPECT_EQ(Folded({kMain, kA, kB, kA, kC, kA, kB, kLeaf}), mutual);
  // A function that calls itself to allocate.
  EXPECT_EQ(Folded({kMain, kLeaf, kLeaf}), "made+0x50 made+0x10");
  EXPECT_EQ(Folded({}), "[call stack not known]");
}

TEST(Folding, DeepStacksAreNoProblem) {
  std::vector<uint64_t> frames = {kMain};
  for (int i = 0; i < 100000; ++i) frames.push_back(i % 2 == 0 ? kA : kB);
  frames.push_back(kLeaf);
  EXPECT_EQ(Folded(frames), "made+0x50 made+0x30 made+0x20 made+0x10");
}

TEST(SiteBook, SitesAreTheSameInEveryTrace) {
  MadeTrace one, other(7, 1000);
  const uint32_t a = one.Stack({kMain, kA, kLeaf}),
                 b = one.Stack({kMain, kB, kLeaf});
  const uint32_t b2 = other.Stack({kMain, kB, kB, kLeaf}),
                 a2 = other.Stack({kMain, kA, kLeaf});
  StackBook table_book(SameLocation::kByText);
  SiteBook table(&table_book, SiteIdentity::kStack);
  table_book.Begin(one.trace());
  const uint32_t site_a = table.SiteOf(a), site_b = table.SiteOf(b);
  EXPECT_NE(site_a, site_b);
  table_book.Begin(other.trace());
  EXPECT_EQ(table.SiteOf(a2), site_a);
  EXPECT_EQ(table.SiteOf(b2), site_b);
  EXPECT_EQ(table.sites().size(), 2u);
  EXPECT_NE(table.sites()[0].id, table.sites()[1].id);
  // And in every process: ids are made of what is read.
  StackBook later_book(SameLocation::kByText);
  SiteBook later(&later_book, SiteIdentity::kStack);
  later_book.Begin(other.trace());
  EXPECT_EQ(later.sites()[later.SiteOf(a2)].id, table.sites()[site_a].id);
}

TEST(SiteBook, CoarserIdentitiesMergeStacks) {
  const std::vector<std::pair<SiteIdentity, size_t>> kSites = {
      {SiteIdentity::kStack, 3},
      {SiteIdentity::kLine, 2},
      {SiteIdentity::kFunction, 2},
      {SiteIdentity::kNames, 1}};  // nameless: all that is left is the module
  for (const auto& [identity, sites] : kSites) {
    MadeTrace made;
    StackBook table_book(SameLocation::kByText);
    SiteBook table(&table_book, identity);
    const uint32_t ids[] = {made.Stack({kMain, kA, kLeaf}),
                            made.Stack({kMain, kB, kLeaf}),
                            made.Stack({kMain, kC})};
    table_book.Begin(made.trace());
    for (const uint32_t id : ids) table.SiteOf(id, id);
    EXPECT_EQ(table.sites().size(), sites);
  }
}

TEST(SiteBook, TheHeaviestStackStandsForItsSite) {
  MadeTrace made;
  const uint32_t light = made.Stack({kMain, kA, kLeaf}),
                 heavy = made.Stack({kMain, kB, kLeaf});
  StackBook table_book(SameLocation::kByText);
  SiteBook table(&table_book, SiteIdentity::kFunction);
  table_book.Begin(made.trace());
  const uint32_t site = table.SiteOf(light, 10);
  EXPECT_EQ(table.SiteOf(heavy, 20), site);
  EXPECT_EQ(table.SiteOf(light, 15), site);
  EXPECT_EQ(table.sites()[site].stack[1].function, "made+0x30");
}

TEST(RunsBuilder, AddsUpEqualSitesAndCountsWarnings) {
  StackBook book(SameLocation::kByText);
  RunsBuilder builder(&book, SiteIdentity::kStack);
  for (int run = 1; run <= 3; ++run) {
    MadeTrace made;
    made.Add({kMain, kA, kLeaf}, 100);
    made.Add({kMain, kA, kA, kLeaf}, 10);
    if (run == 3) made.Add({kMain, kB}, 5);
    made.trace().warnings = {"something is missing"};
    builder.AddTrace(run, 1, made.trace());
  }
  const Runs runs = builder.Finish();
  ASSERT_EQ(runs.sites.size(), 2u);
  ASSERT_EQ(runs.runs.size(), 3u);
  EXPECT_EQ(runs.runs[0].sites.size(), 1u);
  EXPECT_EQ(runs.runs[0].sites[0].values[0], 110u);
  EXPECT_EQ(runs.runs[0].sites[0].values[3], 2u);
  EXPECT_EQ(runs.runs[2].sites.size(), 2u);
  EXPECT_EQ(runs.warnings[0], "made.mgram: something is missing (and 2 more)");
  EXPECT_TRUE(absl::StrContains(runs.warnings[1], "/nowhere/made"));
}

// ---- the analysis -----------------------------------------------------------

using Law = double (*)(double);

// A site a law, at seven sizes; the program is their sum and `unattributed`.
Runs MakeRuns(const std::vector<Law>& laws, double unattributed = 0) {
  Runs runs;
  for (size_t i = 0; i < laws.size(); ++i) {
    CallSite site;
    site.id = absl::StrCat("site", i);
    site.function = site.id;
    runs.sites.push_back(site);
  }
  for (const double n : {10.0, 31.0, 100.0, 316.0, 1000.0, 3160.0, 10000.0}) {
    Run run;
    run.n = n;
    run.values.fill(static_cast<uint64_t>(unattributed));
    for (uint32_t i = 0; i < laws.size(); ++i) {
      const auto bytes = static_cast<uint64_t>(laws[i](n));
      if (bytes == 0) continue;
      SiteValues values;
      values.site = i;
      values.values.fill(bytes);
      run.sites.push_back(values);
      for (uint64_t& value : run.values) value += bytes;
    }
    runs.runs.push_back(run);
  }
  return runs;
}

double Constant(double) { return 4e7; }
double Linear(double n) { return 16000 * n; }
double Quadratic(double n) { return 0.02 * n * n; }
double Tiny(double) { return 1; }
double Late(double n) { return n < 1000 ? 0 : 8000 * (n - 500); }

const SiteScaling& Find(const Scaling& scaling, size_t site) {
  for (const SiteScaling& one : scaling.sites) {
    if (one.site == site) return one;
  }
  ADD_FAILURE() << "no site " << site;
  return scaling.sites.front();
}

TEST(AnalyzeScaling, LawsAlarmsAndOrder) {
  const Runs runs = MakeRuns({Constant, Linear, Quadratic});
  ScalingRequest request;
  const Scaling here = AnalyzeScaling(runs, request);
  EXPECT_EQ(here.target, 10000);
  EXPECT_EQ(here.sites[0].site, 1u);  // what is largest now
  EXPECT_EQ(here.sites[0].source, SiteScaling::Source::kMeasured);
  EXPECT_EQ(here.sites[0].at_target, 16e7);
  EXPECT_EQ(Find(here, 0).metrics[0].fit.growth, fit::Growth::kConstant);
  EXPECT_EQ(Find(here, 1).metrics[0].fit.growth, fit::Growth::kLinear);
  // 1 % of the program at the largest size.
  EXPECT_EQ(Find(here, 2).metrics[0].fit.growth, fit::Growth::kQuadratic);
  for (size_t metric = 0; metric < kSiteMetrics; ++metric) {
    EXPECT_FALSE(Find(here, 0).metrics[metric].alarm);
    EXPECT_FALSE(Find(here, 1).metrics[metric].alarm);
    EXPECT_TRUE(Find(here, 2).metrics[metric].alarm);
  }
  EXPECT_FALSE(here.program[0].alarm);

  request.predict = {3e4, 1e7};
  const Scaling far = AnalyzeScaling(runs, request);
  EXPECT_EQ(far.target, 1e7);
  EXPECT_EQ(far.sites[0].site, 2u);  // what will be
  EXPECT_NEAR(far.sites[0].at_target, 2e12, 2e10);
  EXPECT_EQ(far.sites[2].site, 0u);
}

TEST(AnalyzeScaling, TermsAndRemainderAreTheProgram) {
  const Runs runs = MakeRuns({Constant, Linear, Quadratic, Late}, 5e5);
  const Scaling scaling = AnalyzeScaling(runs, ScalingRequest());
  ASSERT_TRUE(scaling.decomposition.has_value());
  const fit::Decomposition& parts = *scaling.decomposition;
  EXPECT_NEAR(parts.remainder.constant, 5e5, 1);
  EXPECT_NEAR(parts.remainder.factor, 0, 1e-6);
  EXPECT_NEAR(parts.largest_remainder, 5e5 / (4e7 + 16e4 + 5e5), 1e-3);
  double constant = 0, linear = 0;
  for (size_t i = 0; i < scaling.sites.size(); ++i) {
    const fit::SiteTerm& term = scaling.sites[i].term;
    EXPECT_EQ(term.constant, parts.sites[i].constant);
    EXPECT_EQ(term.exponent > 1, scaling.sites[i].site == 2);
    if (term.exponent > 1) continue;
    constant += term.constant;
    linear += term.factor;
  }
  EXPECT_NEAR(constant, parts.constant, 1e-3);
  EXPECT_NEAR(linear, parts.linear, 1e-6);
  EXPECT_EQ(parts.dominant, fit::Decomposition::Term::kLinear);
  EXPECT_TRUE(parts.crossover.has_value());
}

TEST(AnalyzeScaling, SmallSitesAreOneAndAbsentOnesAreZero) {
  const Runs runs = MakeRuns({Linear, Tiny, Late, Tiny});
  const Scaling scaling = AnalyzeScaling(runs, ScalingRequest());
  EXPECT_EQ(scaling.small_sites, 2u);
  EXPECT_EQ(scaling.sites.size(), 3u);
  EXPECT_EQ(Find(scaling, SiteScaling::kOthers).at_target, 2);
  const fit::Series& late = Find(scaling, 2).metrics[0].fit.series;
  ASSERT_EQ(late.sizes.size(), 7u);
  EXPECT_EQ(late.sizes[3].median, 0);
  EXPECT_TRUE(late.zero_prefix);
}

TEST(AnalyzeScaling, ReplicatesAreOnePointAndAddUp) {
  Runs runs = MakeRuns({Constant, Linear});
  Runs noisy = runs;
  for (const double factor : {1.01, 1.03}) {  // the mean is not the median
    for (mallogram::Run run : runs.runs) {    // not testing::Test::Run
      run.rep = factor < 1.02 ? 2 : 3;
      run.values.fill(0);
      for (SiteValues& site : run.sites) {
        for (uint64_t& value : site.values)
          value = static_cast<uint64_t>(static_cast<double>(value) * factor);
        for (size_t m = 0; m < kSiteMetrics; ++m) run.values[m] += site.values[m];
      }
      noisy.runs.push_back(run);
    }
  }
  const Scaling scaling = AnalyzeScaling(noisy, ScalingRequest());
  EXPECT_EQ(scaling.sizes.size(), 7u);
  EXPECT_EQ(scaling.program[0].fit.series.sizes[0].replicates, 3u);
  EXPECT_LT(scaling.decomposition->largest_remainder, 1e-6);
}

TEST(AnalyzeScaling, ProgramsWithoutAnything) {
  const Runs none = MakeRuns({});
  EXPECT_FALSE(AnalyzeScaling(none, ScalingRequest()).decomposition.has_value());
  Runs one = MakeRuns({Linear});
  one.runs.resize(1);
  const Scaling scaling = AnalyzeScaling(one, ScalingRequest());
  EXPECT_FALSE(scaling.decomposition.has_value());
  EXPECT_EQ(scaling.sites[0].at_target, 160000);
  EXPECT_EQ(scaling.program[0].fit.word, fit::Word::kNotEnoughData);
}

TEST(FitAllSeries, IsFitSeriesOfEach) {
  std::vector<fit::SeriesInput> inputs;
  for (int i = 0; i < 200; ++i) {
    fit::SeriesInput& input = inputs.emplace_back();
    for (const double n : {10.0, 40.0, 100.0, 500.0, 1000.0})
      input.measurements.push_back({n, (i % 3) * 16 * n + 160 * (1 + i % 5)});
  }
  const std::vector<fit::SeriesFit> fits = fit::FitAllSeries(inputs, {});
  for (size_t i = 0; i < inputs.size(); ++i) {
    const fit::SeriesFit alone = fit::FitSeries(inputs[i].measurements, 0, {});
    EXPECT_EQ(fits[i].growth, alone.growth);
    EXPECT_EQ(fits[i].law->b, alone.law->b);
    EXPECT_EQ(fits[i].law->a, alone.law->a);
  }
}

// Of values that are all the same no power fits better than another, whatever
// rounding makes of it: not one is evidence of growth.
TEST(SuperlinearTest, ConstantsAreNoEvidence) {
  for (int i = 0; i < 500; ++i) {
    std::vector<fit::Measurement> same;
    for (const double n : {10.0, 31.0, 100.0, 316.0, 1000.0, 3160.0, 10000.0})
      same.push_back({n, 1013.0 + 977 * i});
    const fit::SeriesFit fit = fit::FitSeries(same, 0, {});
    EXPECT_EQ(fit::SuperlinearPValue(fit.superlinear), 1) << same[0].bytes;
  }
}

}  // namespace
}  // namespace mallogram
