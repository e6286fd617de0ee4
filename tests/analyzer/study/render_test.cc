// A study result made by hand, as text, Markdown and JSON against golden files.
// MALLOGRAM_UPDATE_GOLDENS=1 writes them anew.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/format.h"
#include "analyzer/fit/fit.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/report/render_study.h"
#include "tests/golden.h"

namespace mallogram::study {
namespace {

Statistics Of(double value, size_t count = 1, double sd = 0) {
  Statistics s;
  s.count = count;
  s.median = s.mean = s.low = s.high = s.p25 = s.p75 = value;
  if (count > 1) {
    s.sd = sd;
    s.cv = sd / value;
    s.low = value - sd;
    s.high = value + sd;
  }
  return s;
}

fit::SeriesFit Fit(const std::vector<double>& n, const std::vector<double>& bytes,
                   const fit::FitRequest& request = {}) {
  std::vector<fit::Measurement> points;
  for (size_t i = 0; i < n.size(); ++i) points.push_back({n[i], bytes[i]});
  return fit::FitSeries(points, 16, request);
}

// Sessions of 7.7 kB on a constant of 50 kB; `each` differs between variants.
VariantResult Sessions(const std::string& name, double each, double leak) {
  VariantResult variant;
  variant.name = name;
  variant.command = {"session", "--sessions", "{n}"};
  variant.phases = {"baseline", "filled", "end"};
  const std::vector<double> sizes = {10, 32, 100, 316, 1000};
  std::vector<double> values, residuals, texts;
  for (double n : sizes) {
    Row row;
    row.size = absl::StrCat(n);
    row.n = n;
    const double bytes = 50000 + each * n;
    row.value = Of(bytes, 3, 0.001 * bytes);
    row.metrics = {Of(bytes), Of(leak * n), Of(4 * bytes), Of(20 * n),
                   Of(4e6 + 1.2 * bytes)};
    row.units = n;
    row.per_unit = bytes / n;
    row.columns = {Of(2 * n)};
    row.ratios = {Of(1.25)};
    row.phases = {
        {"baseline", Of(0)}, {"filled", Of(bytes)}, {"end", Of(leak * n)}};
    row.groups = {{"texts", Of(0.75 * each * n)}};
    row.residual = leak * n;
    row.residual_share = leak * n / bytes;
    if (n == 100) row.published = 775800;
    values.push_back(bytes);
    residuals.push_back(leak * n);
    texts.push_back(0.75 * each * n);
    variant.rows.push_back(row);
  }
  fit::FitRequest request;
  request.predict = {3160, 100000};
  request.budget = 100e6;
  variant.value_fit = Fit(sizes, values, request);
  variant.residual_fit = Fit(sizes, residuals);
  const StackFrame frame = {"Bridge::Route", "bridge.cc", 53};
  variant.call_sites = {{"1", "Bridge::Route", "bridge.cc", 53, {frame}},
                        {"2", "audit|log\x1b[31m", "", 0, {frame}}};
  variant.scaling.sizes = sizes;
  variant.scaling.target = 3160;
  variant.scaling.sites.resize(3);
  SiteScaling& route = variant.scaling.sites[0];
  route.metrics[0].fit = Fit(sizes, texts);
  route.metrics[1].fit = Fit(sizes, residuals);
  route.term = {12, 0.75 * each, 1};
  route.at_largest = texts.back();
  route.at_target = 0.75 * each * 3160;
  route.source = SiteScaling::Source::kPredicted;
  SiteScaling& audit = variant.scaling.sites[1];
  audit.site = 1;
  audit.metrics[0].fit = Fit(sizes, {100, 1024, 10000, 99856, 1e6});
  audit.metrics[0].alarm = true;
  audit.term = {0, 1, 2};
  audit.at_largest = 1e6;
  audit.at_target = 3160.0 * 3160;
  audit.source = SiteScaling::Source::kTerm;
  SiteScaling& others = variant.scaling.sites[2];
  others.site = SiteScaling::kOthers;
  others.metrics[0].fit = Fit(sizes, {400, 400, 400, 400, 400});
  others.at_largest = others.at_target = others.term.constant = 400;
  variant.scaling.small_sites = 7;
  fit::Decomposition sum;
  sum.constant = 50000;
  sum.linear = each;
  sum.crossover = 7700;
  variant.scaling.decomposition = sum;
  return variant;
}

StudyResult Result() {
  StudyResult result;
  result.spec.name = "session";
  result.spec.title = "Sessions of a bridge";
  result.spec.description = "How many bytes is a session?";
  result.spec.source = "a report (2026)";
  result.spec.groups = {{"texts", "message texts", "MessageText"},
                        {"wires", "never there", "Wire"}};
  TableResult table;
  table.spec.id = "sessions";
  table.spec.words.title = "Session scaling";
  table.spec.words.note = "Each session holds 20 messages.";
  table.spec.runs.sizes = {"10", "32", "100", "316", "1000"};
  table.spec.words.parameter = "sessions";
  table.spec.runs.reps = 3;
  table.spec.runs.warm_up = true;
  table.spec.unit = "session";
  table.spec.value = "peak";
  table.spec.words.value_title = "heap bytes at the peak";
  table.spec.columns = {{"messages", "truth.messages", false}};
  table.spec.ratios = {{"heap over payload", "peak / truth.payload", false}};
  table.spec.budget = 100e6;
  table.spec.unit_budget = 10e3;
  table.spec.estimate = 10e3;
  table.spec.residual = TableSpec::Residual{"at.baseline", "at.filled", "at.end"};
  table.spec.baseline = "plain";
  table.spec.words.published_text = "another language";
  table.variants = {Sessions("plain", 7700, 0), Sessions("leaking", 8085, 200)};
  result.tables.push_back(table);
  CriterionSpec criterion;
  criterion.name = "a session below 10 kB";
  criterion.table = "sessions";
  criterion.variant = "plain";
  criterion.target = "< 10kB";
  result.criteria = {
      {criterion, "7.75 kB", "7.70 kB to 7.80 kB", Status::kPass, ""},
      {criterion, "12.0 kB", "", Status::kFail, ""},
      {criterion, "", "", Status::kUndecided, "too far from the data"}};
  result.configuration = {{"cpu", "A CPU"}, {"date", "2026-11-21 17:00:00"}};
  result.reproduce = "mallogram study workloads/session/study.toml";
  result.warnings = {"a warning"};
  result.seconds = 12.3;
  return result;
}

TEST(RenderStudy, Text) {
  ExpectGolden("study.txt", RenderStudyText(Result(), {false, true}));
}

TEST(RenderStudy, AsciiHasNothingElse) {
  const std::string text = RenderStudyText(Result(), {false, false});
  for (char c : text) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
  }
}

// Words with figures, each once: folded tables repeat a column, and a heading may
// stand before its figure as a label.
std::set<std::string> Figures(const std::string& text) {
  std::set<std::string> figures;
  for (absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    if (word.find_first_of("0123456789") != absl::string_view::npos)
      figures.emplace(absl::StripSuffix(word, ":"));
  }
  return figures;
}

TEST(RenderStudy, FitsEveryWidthWithAllItsFigures) {
  const std::set<std::string> all = Figures(RenderStudyText(Result(), {}));
  ASSERT_GT(all.size(), 100u);
  for (size_t width : {40, 60, 80, 120, 160}) {
    const std::string text = RenderStudyText(Result(), {false, true, width});
    for (absl::string_view line : absl::StrSplit(text, '\n'))
      EXPECT_LE(DisplayWidth(line), width) << line;
    EXPECT_EQ(Figures(text), all) << width;
  }
}

TEST(RenderStudy, NamesCannotReachTheTerminal) {
  EXPECT_FALSE(absl::StrContains(RenderStudyText(Result(), {false, true}), "\x1b"));
  EXPECT_FALSE(absl::StrContains(RenderStudyMarkdown(Result(), {}), "\x1b"));
}

TEST(RenderStudy, Markdown) {
  ExpectGolden("study.md",
               RenderStudyMarkdown(Result(), {{"sessions", "Memory by size",
                                               "plots/sessions-scaling.svg"}}));
}

TEST(RenderStudy, MarkdownTablesAreWhole) {
  size_t bars = 0;
  for (absl::string_view line :
       absl::StrSplit(RenderStudyMarkdown(Result(), {}), '\n')) {
    if (!absl::StartsWith(line, "|")) {
      bars = 0;
      continue;
    }
    size_t here = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '|' && (i == 0 || line[i - 1] != '\\')) ++here;
    }
    if (bars != 0) {
      EXPECT_EQ(here, bars) << line;
    }
    bars = here;
  }
}

TEST(RenderStudy, Json) {
  const std::string text = RenderStudyJson(Result());
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["tables"][0]["variants"][0]["rows"][2]["n"], 100);
  EXPECT_EQ(json["tables"][0]["variants"][0]["rows"][2]["published"], 775800);
  EXPECT_EQ(json["tables"][0]["variants"][0]["rows"][0]["published"], nullptr);
  EXPECT_EQ(json["tables"][0]["variants"][0]["fit"]["class"], "linear");
  EXPECT_EQ(json["tables"][0]["variants"][0]["scaling"]["sites"][1]["metrics"]
                ["peak"]["alarm"],
            true);
  EXPECT_EQ(json["criteria"][2]["status"], "undecided");
}

TEST(RenderStudy, NothingMeasuredIsNoCrash) {
  StudyResult empty;
  empty.tables.resize(1);
  empty.tables[0].variants.resize(2);
  EXPECT_FALSE(RenderStudyText(empty, {}).empty());
  EXPECT_FALSE(RenderStudyMarkdown(empty, {}).empty());
  EXPECT_FALSE(RenderStudyJson(empty).empty());
}

TEST(RenderStudy, SingleRunsHaveNoCv) {
  StudyResult result = Result();
  for (Row& row : result.tables[0].variants[0].rows) row.value = Of(row.n);
  result.tables[0].variants.resize(1);
  const std::string text = RenderStudyText(result, {});
  EXPECT_TRUE(absl::StrContains(text, "single run"));
  EXPECT_FALSE(absl::StrContains(text, "0.10 %"));
}

TEST(RenderStudy, SaysWhatGrewInAVariant) {
  const std::string text = RenderStudyText(Result(), {});
  EXPECT_TRUE(absl::StrContains(text, "+5.0 %")) << "8085 over 7700";
}

TEST(LawSentence, RefusesFewSizes) {
  const std::string text = LawSentence(Fit({50}, {100e6}), "agents", "agent");
  EXPECT_TRUE(absl::StrContains(text, "Not enough data")) << text;
}

TEST(LawSentence, ConstantIsAnUpperBound) {
  const std::string text =
      LawSentence(Fit({1, 10, 100, 1000}, {4096, 4096, 4096, 4096}), "n", "");
  EXPECT_TRUE(absl::StrContains(text, "No growth seen")) << text;
  EXPECT_TRUE(absl::StrContains(text, "at most")) << text;
}

}  // namespace
}  // namespace mallogram::study
