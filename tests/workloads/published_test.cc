// Every figure that workloads/PUBLISHED.md recomputes from published tables,
// against the same figures worked out elsewhere, by hand and with another program.
#include "workloads/published/published.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/format.h"
#include "analyzer/study/report/render_study.h"

namespace mallogram::published {
namespace {

struct Expected {
  const char* id;
  Support support;
  std::vector<double> figures;
  double tolerance = 0.006;  // of each figure, relative
};

void Expect(const PublishedReport& report, const std::vector<Expected>& expected) {
  std::map<std::string, const Claim*> claims;
  for (const Claim& claim : report.claims) claims[claim.id] = &claim;
  EXPECT_EQ(claims.size(), report.claims.size()) << "an id twice";
  EXPECT_EQ(report.claims.size(), expected.size());
  for (const Expected& one : expected) {
    const std::string id = report.id + "." + one.id;
    ASSERT_TRUE(claims.count(id)) << id;
    const Claim& claim = *claims[id];
    EXPECT_EQ(claim.support, one.support) << id;
    EXPECT_FALSE(claim.said.empty());
    ASSERT_EQ(claim.figures.size(), one.figures.size()) << claim.supports;
    for (size_t i = 0; i < one.figures.size(); ++i) {
      EXPECT_NEAR(claim.figures[i], one.figures[i],
                  one.tolerance * std::max(0.05, std::fabs(one.figures[i])))
          << id << ", figure " << i << ": " << claim.supports;
    }
  }
}

using S = Support;

TEST(Published, Sessions) {
  Expect(PublishedSessions(),
         {{"level",
           S::kYes,
           {7692, 0.50, -348, -996, 300, 7718, 7651, 7785, 1.0037, 0.99997, 1.0073},
           0.01},
          {"drift", S::kPartly, {1.3, 0.006}, 0.06},
          {"first", S::kNo, {12.3, 4572, 7685, 7827}},
          {"thousand", S::kYes, {7.72, 7.60, 7.84}},
          {"ten-thousand", S::kBeyond, {77.2, 76.0, 78.4}},
          {"per-gb",
           S::kBeyond,
           {129570, 128450, 130700, 139100, 8.14, 13, 0.991, 123000},
           0.03},
          {"hundred", S::kYes, {0.776, 0.75, 1.64}},
          {"estimate", S::kPartly, {23.1, 22.4, 24.2, 44, 76}, 0.01},
          {"a-session", S::kNo, {28.9, 3.8, 388}, 0.01},
          {"json", S::kNo, {765, 711}},
          {"columns", S::kYes, {880.6, 739.8, 730.1, 720.9, 753.4, 168.53, 16.5}},
          {"range", S::kNo, {721, 881}},
          {"doubling",
           S::kBeyond,
           {1.68, 1.97, 2.09, 2.47, 0.955, 0.861, 1.049, 0.997, 711, 639, 784}}});
}

TEST(Published, Chunks) {
  Expect(PublishedChunks(),
         {{"ratio-2-1", S::kYes, {2.000, 1.990, 2.010}, 0.001},
          {"ratio-10-5", S::kNo, {2.006, 2.0045, 2.0084}, 0.0005},
          {"ratio-5-2", S::kNo, {2.490, 2.485, 2.496}, 0.0005},
          {"linear",
           S::kYes,
           {0.004, -0.015, 0.022, 1.5465, 1.536, 1.557, 0.999995, 0.9992, 0.994,
            1.004},
           0.01},
          {"projections",
           S::kYes,
           {77.3, 76.5, 78.2, 154.7, 153.0, 156.3, 99.0, 97.9, 100.0},
           0.001},
          {"limit", S::kPartly, {64660, 63979, 54450, 54500}, 0.0005},
          {"proven", S::kBeyond, {10000, 5, 10}},
          {"budget", S::kYes, {84.5, 6.44, 15.5}},
          {"overhead", S::kNo, {25.5, 20.3}},
          {"sqlite", S::kBeyond, {4.1}, 0.01},
          {"per-chunk", S::kPartly, {1.249, 1.587}, 0.001},
          {"structure", S::kYes, {1030, 81, 1279}},
          {"residual", S::kYes, {24.39, 75.61}, 0.0005},
          {"no-leaks", S::kBeyond, {524, 33}, 0.01}});
}

TEST(Published, Encoder) {
  Expect(PublishedEncoder(),
         {{"slope", S::kNo, {0.0180, 0.0094, 0.0086, 0.0274}, 0.01},
          {"intercept", S::kNo, {3.946, 3.821, 3.696}, 0.0005},
          {"r-squared", S::kNo, {0.785}},
          {"p-value", S::kNo, {3.4e-3, 2.7e-7}},
          {"origin", S::kPartly, {0.05455, 3.8897, 0.99047, 4.78e-3, 0.038, 0.071}},
          {"confidence", S::kNo, {0.785}},
          {"predicts", S::kNo, {25.9, -38, 29.4, -32, 33.4, -32, 43.0, -17}, 0.02},
          {"hundred-mb",
           S::kBeyond,
           {56.2, 48.0, 65.8, 62.9, 57.2, 69.1, 115, 93, 582}},
          {"average-cv", S::kNo, {0.131, 0.175}},
          {"cv-ranges", S::kNo, {0.36}},
          {"cv-column", S::kYes, {0.024, 0.081, 0.219, 0.362, 0.154, 0.219}, 0.02},
          {"runs", S::kNo, {6, 12, 14}},
          {"outliers", S::kBeyond, {1.49, 1.72, 5.2, 0.21, 25, 3.34, 21}, 0.02},
          {"growth", S::kNo, {1.133, 1.123, 0.907, 0.937, 1.046, 87}},
          {"ten-mb", S::kNo, {54.80, 54.18}, 0.0001},
          {"constant", S::kYes, {42}},
          {"potential", S::kNo, {23.8, 4, 39}, 0.08},
          {"savings", S::kNo, {18, 30}},
          {"goal", S::kNo, {26, 42}, 0.01},
          {"compression", S::kNo, {0.0784, 98.3, 96.5}}});
}

TEST(Published, Agents) {
  Expect(PublishedAgents(),
         {{"footprint", S::kYes, {34.5, 87}},
          {"reduction", S::kNo, {75.0, 94.3, 99.88, 99.97}, 0.0005},
          {"worst-case", S::kYes, {76.8, 1.88}},
          {"fifty", S::kBeyond, {50, 100}},
          {"sparse-gain", S::kNo, {6.7, 5, 93.3, 99.87}},
          {"target", S::kBeyond, {61}}});
}

// ---- laws compared ---------------------------------------------------------

const LawScore& Find(const PublishedReport& report, const std::string& table,
                     const std::string& law) {
  static const LawScore kNone = {"none", -1, -1};
  for (const ModelTable& models : report.models) {
    for (const LawScore& score : models.laws) {
      if (models.id == table && score.law == law) return score;
    }
  }
  ADD_FAILURE() << table << ": no " << law;
  return kNone;
}

struct ExpectedLaw {
  const char* table;
  const char* law;
  double delta;          // infinite: not defined
  double leave_one_out;  // %; 0: not printed
};

void ExpectLaws(const PublishedReport& report,
                const std::vector<ExpectedLaw>& expected) {
  for (const ExpectedLaw& one : expected) {
    const LawScore& score = Find(report, one.table, one.law);
    if (std::isinf(one.delta)) {
      EXPECT_TRUE(std::isinf(score.delta)) << one.table << ", " << one.law;
    } else {
      EXPECT_NEAR(score.delta, one.delta, std::max(0.06, 0.01 * one.delta))
          << one.table << ", " << one.law;
    }
    if (one.leave_one_out > 0) {
      EXPECT_NEAR(score.leave_one_out * 100, one.leave_one_out,
                  0.04 * one.leave_one_out + 0.005)
          << one.table << ", " << one.law;
    }
  }
}

TEST(PublishedModels, Encoder) {
  const char* all = "encoder.scaling";
  const char* less = "encoder.without-copy";
  ExpectLaws(PublishedEncoder(), {{all, "b·n^c", 0, 5.46},
                                  {all, "a + b·log n", 0.08, 5.47},
                                  {all, "a + b·n^c", 9.3, 6.3},
                                  {all, "constant", 6.7, 11.1},
                                  {all, "a + b·n", 6.8, 9.7},
                                  {all, "a + b·n·log n", 6.9, 9.9},
                                  {all, "a + b·n²", 8.5, 15.5},
                                  {less, "b·n^c", 0, 4.98},
                                  {less, "a + b·log n", 0.45, 5.24},
                                  {less, "constant", 6.5, 12.1},
                                  {less, "a + b·n", 8.1, 10.6}});
  EXPECT_GT(Find(PublishedEncoder(), all, "b·n").delta, 68);
}

TEST(PublishedModels, SessionsAndChunks) {
  const double undefined = std::numeric_limits<double>::infinity();
  ExpectLaws(PublishedSessions(),
             {{"session.scaling", "b·n", 0, 0.56},
              {"session.scaling", "b·n^c", 12.7, 0.43},
              {"session.scaling", "a + b·n", 16.6, 0.62},
              {"session.scaling", "a + b·n^c", undefined, 0.67},
              {"session.scaling", "b·n·log n", 44, 0},
              {"session.scaling", "b·n²", 55, 0},
              {"session.scaling", "constant", 55, 0},
              {"session.all", "a + b·n", 0, 42},
              {"session.all", "a + b·n·log n", 0.9, 18.6},
              {"session.all", "b·n", 5.4, 42.8},
              {"session.all", "a + b·log n", 23.25, 0},
              {"session.all", "b·n²", 24.8, 0},
              {"session.window", "b·n", 0, 9.16},
              {"session.window", "a + b·n·log n", 12.5, 6.25},
              {"session.window", "a + b·n", 13.0, 9.3}});
  ExpectLaws(PublishedChunks(),
             {{"chunk_store.scaling", "b·n", 0, 0.21},
              {"chunk_store.scaling", "a + b·n", undefined, 0.24},
              {"chunk_store.scaling", "b·n^c", undefined, 0.29},
              {"chunk_store.scaling", "b·n·log n", 34, 14.7},
              {"chunk_store.scaling", "constant", 50, 0},
              {"chunk_store.scaling", "b·n²", 50, 0}});
}

// ---- the page ---------------------------------------------------------------

TEST(Published, WhatTheEngineSays) {
  EXPECT_NE(PublishedSessions().verdicts[0].find("Linear, high"),
            std::string::npos);
  EXPECT_NE(PublishedSessions().verdicts[0].find("bytes per n change"),
            std::string::npos);
  EXPECT_NE(PublishedSessions().verdicts[1].find("Undetermined"),
            std::string::npos);
  EXPECT_NE(PublishedChunks().verdicts[0].find("Linear, high"), std::string::npos);
  EXPECT_NE(PublishedChunks().verdicts[1].find("Not enough data"),
            std::string::npos);
  EXPECT_NE(PublishedEncoder().verdicts[0].find("Undetermined"), std::string::npos);
  EXPECT_NE(PublishedEncoder().verdicts[1].find("Erratic"), std::string::npos);
  EXPECT_NE(PublishedAgents().verdicts[0].find("Not enough data"),
            std::string::npos);
}

// What needs no measurement is in the page, line by line and in order.
TEST(Published, ThePageIsWhatIsGenerated) {
  SetSi();  // as the tool does
  const auto document = DescribePublished({});
  ASSERT_TRUE(document.ok());
  std::ifstream page(PUBLISHED_PAGE);
  std::string there;
  const std::string text = study::RenderDocumentMarkdown(*document);
  for (absl::string_view line :
       absl::StrSplit(absl::StripSuffix(text, "\n"), '\n')) {
    bool found = false;
    while (!found && std::getline(page, there)) found = there == line;
    ASSERT_TRUE(found) << "not in " << PUBLISHED_PAGE << ": " << line;
  }
}

TEST(Published, ADirectoryWithoutAStudyIsNamed) {
  const std::vector<std::string> directories = {"/nowhere"};
  const auto document = DescribePublished(directories);
  ASSERT_FALSE(document.ok());
  EXPECT_NE(std::string(document.status().message()).find("/nowhere"),
            std::string::npos);
}

}  // namespace
}  // namespace mallogram::published
