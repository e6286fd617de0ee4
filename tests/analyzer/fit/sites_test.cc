// Many sites at once: false discovery control, and the exact decomposition.
#include <gtest/gtest.h>

#include <cmath>

#include "analyzer/fit/decompose.h"
#include "analyzer/fit/many_sites.h"
#include "analyzer/fit/regression.h"
#include "analyzer/fit/sample.h"
#include "analyzer/fit/table.h"

namespace mallogram::fit {
namespace {

// The 15 p-values of the example in Benjamini and Hochberg's paper: four are
// rejected at 5 %, three by Bonferroni.
const std::vector<double> kPaper = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201,
                                    0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
                                    0.4262, 0.5719, 0.6528, 0.7590, 1.0000};

int Count(const std::vector<bool>& flags) {
  int count = 0;
  for (bool flag : flags) count += flag;
  return count;
}

TEST(FalseDiscovery, ExampleOfThePaper) {
  EXPECT_EQ(Count(RejectFalse(kPaper)), 4);
  EXPECT_EQ(Count(RejectFalse(kPaper, 0.05, FalseDiscovery::kBenjaminiYekutieli)),
            3);
  EXPECT_EQ(Count(RejectFalse({})), 0);
  // A step-up rule: a p-value above its own line falls with a later one below it.
  EXPECT_EQ(Count(RejectFalse({0.04, 0.045})), 2);
  EXPECT_EQ(Count(RejectFalse({0.04, 0.06})), 0);
}

// rss as of noise with SD 1 %, five degrees of freedom.
SuperlinearTest Evidence(double gain, double rss = 5e-4) {
  return {gain, rss, 5, kMinNoise * kMinNoise};
}

TEST(FalseDiscovery, AlarmNeedsBothEvidenceAndSteepness) {
  const std::vector<bool> alarms = Alarms(std::vector<SiteEvidence>{
      {Evidence(1), 0.99}, {Evidence(1), 0.5}, {Evidence(0), 0.99}, {{}, 0}});
  EXPECT_EQ(alarms, (std::vector<bool>{true, false, false, false}));
}

TEST(FalseDiscovery, ManySitesLendEachOtherFreedom) {
  const SuperlinearTest doubtful = Evidence(12e-4);  // F = 12 with 5 degrees
  EXPECT_NEAR(SuperlinearPValue(doubtful), 0.009, 5e-4);
  // Sites with the same noise: as if it were known.
  std::vector<SuperlinearTest> alike(100, Evidence(0));
  alike.push_back(doubtful);
  EXPECT_LT(SuperlinearPValues(alike).back(), 1e-3);
  // Sites that have nothing in common lend nothing.
  std::vector<SuperlinearTest> mixed;
  for (int i = 0; i < 100; ++i)
    mixed.push_back(Evidence(0, std::pow(10, -6 + i % 7)));
  mixed.push_back(doubtful);
  EXPECT_NEAR(SuperlinearPValues(mixed).back(), 0.009, 6e-3);
  // One that is far noisier than the rest keeps its own variance.
  std::vector<SuperlinearTest> noisy(100, Evidence(0));
  noisy.push_back(Evidence(0.12, 0.05));
  EXPECT_NEAR(SuperlinearPValues(noisy).back(), 0.009, 5e-4);
}

TEST(FalseDiscovery, PValuesOfLinesAndSquares) {
  const auto p_value = [](auto law) {
    std::vector<Measurement> points;
    for (double n : {100.0, 316.0, 1000.0, 3160.0, 10000.0, 31600.0}) {
      points.push_back({n, std::round(law(n))});
    }
    return SuperlinearPValue(TestSuperlinear(Prepare(points, 1).positive));
  };
  EXPECT_GT(p_value([](double n) { return 5e4 + 64 * n; }), 0.05);
  EXPECT_GT(p_value([](double n) { return 3e5 * std::log(n); }), 0.05);
  EXPECT_LT(p_value([](double n) { return 5e4 + 64 * n * n; }), 1e-4);
  EXPECT_LT(p_value([](double n) { return 8 * std::pow(n, 1.5); }), 1e-3);
}

TEST(Decompose, SitesAddUpToTheProgram) {
  const std::vector<double> n = {100, 300, 1000, 3000, 10000, 30000};
  std::vector<SiteSeries> sites(4);
  std::vector<double> program;
  for (double size : n) {
    sites[0].bytes.push_back(42e6);
    sites[1].bytes.push_back(64 * size + 17);
    sites[2].bytes.push_back(std::floor(1000 * std::sqrt(size)));  // no line at all
    sites[3].bytes.push_back(0.05 * size * size);
    program.push_back(42e6 + 64 * size + 17 + std::floor(1000 * std::sqrt(size)) +
                      0.05 * size * size + 4096);
  }
  // All in the common basis: the coefficients add to those of the whole.
  const Decomposition all = Decompose(n, program, sites);
  SiteSeries whole;
  whole.bytes = program;
  const Decomposition one = Decompose(n, program, std::vector<SiteSeries>{whole});
  EXPECT_NEAR(all.constant + all.remainder.constant, one.constant, 1e-6);
  EXPECT_NEAR(all.linear + all.remainder.factor, one.linear, 1e-9);
  const LineFit relative = FitRelativeLine(n, program);
  EXPECT_NEAR(one.constant, relative.intercept.value, 1e-6);
  EXPECT_NEAR(one.linear, relative.slope.value, 1e-9);
  EXPECT_NEAR(all.remainder.constant, 4096, 1e-6);
  EXPECT_NEAR(all.largest_remainder, 4096 / program[0], 1e-9);

  sites[3].steep = true;
  sites[3].exponent = 2;
  const Decomposition steep = Decompose(n, program, sites);
  EXPECT_NEAR(steep.sites[3].factor, 0.05, 1e-9);
  EXPECT_EQ(steep.dominant, Decomposition::Term::kSteep);
  ASSERT_TRUE(steep.crossover.has_value());
  const double at = *steep.crossover;
  EXPECT_NEAR(0.05 * at * at,
              steep.constant + steep.remainder.constant + steep.sites[3].constant +
                  (steep.linear + steep.remainder.factor) * at,
              1);
}

TEST(Table, ReadsAndNamesTheLineOfAnError) {
  const auto table = ParseTable(
      "# comment\r\nid\tn\trep\tbytes\trole\r\na\t10\t1\t100\tfit\r\n\n"
      "a\t20\t1\t200\tpredict\nb\t1e3\t1\t0\tfit\n");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->size(), 2u);
  EXPECT_EQ((*table)[0].fitted.size(), 1u);
  EXPECT_EQ((*table)[0].truth.size(), 1u);
  EXPECT_EQ((*table)[1].fitted[0].n, 1000);
  const auto message = [](absl::string_view text) {
    return std::string(ParseTable(text).status().message());
  };
  EXPECT_NE(message("").find("empty"), std::string::npos);
  EXPECT_NE(message("id\tn\n").find("no column bytes"), std::string::npos);
  EXPECT_NE(message("id,n,bytes\n").find("tabs, not commas"), std::string::npos);
  EXPECT_NE(message("id\tn\tbytes\na\tten\t5\n").find("line 2: n is \"ten\""),
            std::string::npos);
  EXPECT_NE(message("id\tn\tbytes\na\t0\t5\n").find("line 2"), std::string::npos);
  EXPECT_NE(message("id\tn\tbytes\na\t1\t-5\n").find("line 2: bytes"),
            std::string::npos);
  EXPECT_NE(message("id\tn\tbytes\na\t1\tnan\n").find("line 2"), std::string::npos);
  EXPECT_NE(message("id\tn\tbytes\n#x\na\t1\n").find("line 3: 2 columns"),
            std::string::npos);
  EXPECT_NE(message("id\tn\tbytes\n").find("no measurements"), std::string::npos);
  EXPECT_NE(message("id\tn\tid\tbytes\n").find("two columns"), std::string::npos);
}

}  // namespace
}  // namespace mallogram::fit
