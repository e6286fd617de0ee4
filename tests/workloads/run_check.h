// What holds for a run of any workload: the same twice, accounts that agree with
// operator new, nothing left but what was planted, plants counted exactly.

#ifndef TESTS_WORKLOADS_RUN_CHECK_H_
#define TESTS_WORKLOADS_RUN_CHECK_H_

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "tests/workloads/heap_count.h"
#include "workloads/common/account.h"
#include "workloads/common/json.h"
#include "workloads/common/leaks.h"
#include "workloads/common/truth.h"

struct Outcome {
  std::string error;
  std::string truth;
  int64_t left_blocks = 0;  // by the accounts
  int64_t left_bytes = 0;
  int64_t heap_blocks = 0;  // by operator new
  int64_t heap_bytes = 0;
};

using RunFunction = std::function<std::string(
    workloads::Phases&, workloads::Entities&, workloads::Json&)>;

// Truths are relative to the process (peaks, phases): only the fields that the run
// itself writes are compared between runs of one process.
inline Outcome RunOnce(const RunFunction& run) {
  Outcome outcome;
  const workloads::Balance before = workloads::total_balance;
  const int64_t blocks = heap_count::live_blocks;
  const int64_t bytes = heap_count::live_bytes;
  {
    workloads::Phases phases(false);
    workloads::Entities entities;
    workloads::Json json;
    heap_count::counting = true;
    outcome.error = run(phases, entities, json);
    heap_count::counting = false;
    // A copy that is not counted; the original goes with its block.
    const std::string truth = json.Finish();
    outcome.truth.assign(truth.data(), truth.size());
  }
  outcome.left_blocks = workloads::total_balance.live_blocks - before.live_blocks;
  outcome.left_bytes = workloads::total_balance.live_bytes - before.live_bytes;
  outcome.heap_blocks = heap_count::live_blocks - blocks;
  outcome.heap_bytes = heap_count::live_bytes - bytes;
  return outcome;
}

inline void ExpectClean(const RunFunction& run) {
  const Outcome outcome = RunOnce(run);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.left_blocks, 0);
  EXPECT_EQ(outcome.left_bytes, 0);
  // The error text may be the one block that is live here; it is empty, so is not.
  EXPECT_EQ(outcome.heap_blocks, 0);
  EXPECT_EQ(outcome.heap_bytes, 0);
}

// Runs with the site at that rate: what is left is what the site says, by both
// counts.
inline void ExpectLeak(const RunFunction& run, workloads::LeakSite* site,
                       const std::string& rate) {
  workloads::LeakPlan plan({site});
  ASSERT_EQ(plan.Apply(std::string(site->name()) + ":" + rate), "");
  const Outcome outcome = RunOnce(run);
  EXPECT_EQ(outcome.error, "");
  EXPECT_GT(site->leaks(), 0) << site->name();
  EXPECT_EQ(outcome.left_blocks, site->blocks()) << site->name();
  EXPECT_EQ(outcome.left_bytes, site->bytes()) << site->name();
  EXPECT_EQ(outcome.heap_blocks, site->blocks()) << site->name();
  EXPECT_EQ(outcome.heap_bytes, site->bytes()) << site->name();
  if (site->kind() == workloads::LeakKind::kChain) {
    EXPECT_GE(site->blocks(), site->leaks());
  } else {
    EXPECT_EQ(site->blocks(), site->leaks());
  }
}

#endif  // TESTS_WORKLOADS_RUN_CHECK_H_
