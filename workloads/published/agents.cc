// "Task 20.2: Memory Profiling and Optimization Report".
#include "workloads/published/claims.h"

namespace mallogram::published {
namespace {

const Values kPartsMb = {30, 2, 1.5,
                         1};  // beliefs, history, observations, matrices
constexpr double kOriginalMb = 34.5, kSparseMb = 61;

// Bytes of the dense form over those of index and value, at a share of zeros.
double SparseGain(double zeros, double index, double value) {
  return 8 / ((index + value) * (1 - zeros));
}
// The share of zeros at which the sparse form is `gain` times smaller.
double ZerosFor(double gain, double index, double value) {
  return 1 - 8 / ((index + value) * gain);
}

}  // namespace

PublishedReport PublishedAgents() {
  Claims claims("agent");
  const double sum = Mean(kPartsMb) * static_cast<double>(kPartsMb.size());
  claims.Add(Support::kYes, "footprint", "30 + 2 + 1.5 + 1 = 34.5 MB",
             "%.1f, beliefs %.0f %% of it", sum, kPartsMb[0] / sum * 100);
  claims.Add(
      Support::kNo, "reduction", "8-35 MB to 0.01-2 MB: 95 to 99.9 % less",
      "the corners are %.1f %%, %.1f %%, %.2f %%, %.2f %%: neither end follows",
      (1 - 2.0 / 8) * 100, (1 - 2.0 / 35) * 100, (1 - 0.01 / 8) * 100,
      (1 - 0.01 / 35) * 100);
  claims.Add(Support::kYes, "worst-case", "dense random data: 34.5 to 61 MB",
             "+%.1f %%, a regression; the beliefs alone ×%.2f",
             (kSparseMb / kOriginalMb - 1) * 100,
             (kSparseMb - (sum - kPartsMb[0])) / kPartsMb[0]);
  claims.Add(
      Support::kBeyond, "fifty", "50 agents below 2 MB each, below 100 MB",
      "consistent (%d × 2 = %d), but one n has no law; \"hundreds of agents\" is "
      "not supported",
      50, 50 * 2);
  claims.Add(
      Support::kNo, "sparse-gain",
      "sparse is 10-500 times smaller above 90 % zeros",
      "indices of 4 bytes: %.1f times at 90 %% zeros, of 8 bytes %.0f times; 10 "
      "times takes %.1f %% zeros, 500 times %.2f %%",
      SparseGain(0.9, 4, 8), SparseGain(0.9, 8, 8), ZerosFor(10, 4, 8) * 100,
      ZerosFor(500, 4, 8) * 100);
  claims.Add(Support::kBeyond, "target", "target of 10 MB met",
             "met for sparse data; missed for dense data (%.0f MB)", kSparseMb);
  PublishedReport report = {"agent",
                            "Task 20.2: Memory Profiling and Optimization Report",
                            "active-inference agents (CPython, numpy)",
                            claims.Take(),
                            {},
                            {}};
  report.verdicts.push_back(
      EngineVerdict("50 agents", {50}, {100e6}, "agents", "agent"));
  return report;
}

}  // namespace mallogram::published
