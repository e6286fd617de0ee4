// "AURORA Phase 1 Memory Profiling Report", 2025-12-20. 1 MB is 1000 KB in one
// table and 1024 KB in another.
#include <cmath>

#include "workloads/published/claims.h"

namespace mallogram::published {
namespace {

const Values kChunks = {1000, 2000, 5000, 10000};
const Values kMb = {1.55, 3.10, 7.72, 15.49};
constexpr double kRounding = 0.005;  // of MB with two decimals
constexpr double kTotal = 15.52, kGenerated = 12.37, kOverhead = 3.15;
constexpr double kSqlite = 14.88, kBudget = 100;

void AddRatio(Claims* claims, Support support, const std::string& id,
              const std::string& said, double above, double below) {
  claims->Add(support, id, said, "%.3f, with the rounding of both [%.4f, %.4f]",
              above / below, (above - kRounding) / (below + kRounding),
              (above + kRounding) / (below - kRounding));
}

void AddScaling(Claims* claims) {
  AddRatio(claims, Support::kYes, "ratio-2-1", "2K/1K ratio 2.00", kMb[1], kMb[0]);
  AddRatio(claims, Support::kNo, "ratio-10-5",
           "10K/5K ratio 2.01, \"perfect doubling\"", kMb[3], kMb[2]);
  AddRatio(claims, Support::kNo, "ratio-5-2", "the same of 5K/2K: 2.5", kMb[2],
           kMb[1]);
  const fit::LineFit line = fit::FitRelativeLine(kChunks, kMb);
  const fit::LineFit power = fit::FitLogLog(kChunks, kMb);
  claims->Add(
      Support::kYes, "linear", "linear, 1.55 KB each",
      "a = %.3f [%.3f, %.3f] MB, b = %.4f [%.3f, %.3f] KB, R² %.6f; exponent "
      "%.4f [%.3f, %.3f], from 4 rows",
      line.intercept.value, line.intercept.low, line.intercept.high,
      line.slope.value * 1000, line.slope.low * 1000, line.slope.high * 1000,
      line.r_squared, power.slope.value, power.slope.low, power.slope.high);
  const fit::Interval fifty = fit::RelativePrediction(line, 50000);
  const fit::Interval hundred = fit::RelativePrediction(line, 100000);
  const fit::Interval most = fit::RelativePrediction(line, 64000);
  claims->Add(Support::kYes, "projections",
              "50K: 77.5 MB; 100K: 155 MB; 64K: 99 MB",
              "%.1f [%.1f, %.1f]; %.1f [%.1f, %.1f]; %.1f [%.1f, %.1f] MB",
              fifty.value, fifty.low, fifty.high, hundred.value, hundred.low,
              hundred.high, most.value, most.low, most.high);
  claims->Add(Support::kPartly, "limit",
              "at most 64,000 in 100 MB; ~54,000 more than 10,000",
              "the line reaches it at %.0f; the largest n whose upper 95 %% bound "
              "stays within it is %.0f; by a chunk's size %.0f to %.0f more",
              (kBudget - line.intercept.value) / line.slope.value,
              std::floor(fit::LargestWithin(line, kBudget)),
              (kBudget - kTotal) / (kTotal / 10000), (kBudget - kTotal) / 1.55e-3);
  claims->Add(Support::kBeyond, "proven",
              "\"proven to 50K+\", predictable to 100K+",
              "the largest n measured is %.0f: %.0f and %.0f times beyond the data",
              kChunks.back(), 50000 / kChunks.back(), 100000 / kChunks.back());
}

void AddBudget(Claims* claims) {
  claims->Add(Support::kYes, "budget",
              "15.52 MB: 84 % under, 6.4 times, 15.5 % used",
              "%.1f %%, %.2f times, %.1f %%", (1 - kTotal / kBudget) * 100,
              kBudget / kTotal, kTotal / kBudget * 100);
  claims->Add(Support::kNo, "overhead",
              "store overhead 3.15 MB, 20 % of chunk memory",
              "%.1f %% of the chunks, %.1f %% of the total",
              kOverhead / kGenerated * 100, kOverhead / kTotal * 100);
  claims->Add(Support::kBeyond, "sqlite", "SQLite: 14.88 MB, even more efficient",
              "%.1f %% less, without replicates, and at odds with \"most data on "
              "disk\"",
              (1 - kSqlite / kTotal) * 100);
  claims->Add(Support::kPartly, "per-chunk", "1.25 KB a chunk (1,000 in 1.22 MB)",
              "%.3f with MB of 1024 KB; the table of 1.55 has MB of 1000 KB (else "
              "%.3f): units are mixed",
              1.22 * 1024 / 1000, kMb[0] * 1024 / 1000);
  const Values parts = {60, 40, 30, 80, 200, 120, 100, 400};
  const double sum = Mean(parts) * static_cast<double>(parts.size());
  claims->Add(Support::kYes, "structure", "structure of a chunk: 1.0 to 1.5 KB",
              "the parts add up to %.0f B, %.0f %% of %.0f", sum,
              sum / (1.249 * 1024) * 100, 1.249 * 1024);
}

void AddCleanup(Claims* claims) {
  claims->Add(Support::kYes, "residual",
              "2.50 of 10.25 MB left: 24.4 %, 75.6 % freed", "%.2f %%, %.2f %%",
              2.50 / 10.25 * 100, 7.75 / 10.25 * 100);
  claims->Add(
      Support::kBeyond, "no-leaks", "no leaks; the residual is garbage collection",
      "%.0f B a chunk are kept after collecting. One n cannot tell a constant "
      "from a share; and 5K chunks are 10.25 MB here, 7.72 MB in the scaling "
      "table (+%.0f %%)",
      2.50 * 1024 * 1024 / 5000, (10.25 / 7.72 - 1) * 100);
}

}  // namespace

PublishedReport PublishedChunks() {
  Claims claims("chunk_store");
  AddScaling(&claims);
  AddBudget(&claims);
  AddCleanup(&claims);
  PublishedReport report = {"chunk_store",
                            "AURORA Phase 1 Memory Profiling Report",
                            "a store of code chunks (CPython, tracemalloc)",
                            claims.Take(),
                            {},
                            {}};
  Values bytes;
  for (double mb : kMb) bytes.push_back(mb * 1e6);
  fit::FitRequest request;
  request.predict = {50000, 200000};
  request.budget = kBudget * 1e6;
  report.verdicts.push_back(EngineVerdict("Scaling, 1K to 10K", kChunks, bytes,
                                          "chunks", "chunk", request));
  report.verdicts.push_back(
      EngineVerdict("After close", {5000}, {2.50e6}, "chunks", "chunk"));
  report.models = {
      {"chunk_store.scaling", "Scaling (4 rows)", CompareModels(kChunks, bytes)}};
  return report;
}

}  // namespace mallogram::published
