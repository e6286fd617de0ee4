// How far a sweep is, and how long the rest will take.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "analyzer/command/terminal.h"
#include "analyzer/sweep/plan.h"

namespace mallogram {

struct RunTime {
  double n = 0, seconds = 0;
};

// What a run of size n will take, by those that are done: the mean of those of its
// size; else a power law through the two nearest sizes, of an exponent between 0
// and 2. Negative: nothing is done yet.
double EstimateSeconds(const std::vector<RunTime>& done, double n);

// The bar on standard error, if that is a terminal.
class SweepProgress {
 public:
  using Clock = std::chrono::steady_clock;

  SweepProgress(const SweepPlan& plan, std::vector<RunKey> open, size_t done);

  void Started(const RunKey& key);
  void Ended(const RunKey& key, double seconds, bool succeeded);
  void Show();  // cheap; to be called often
  void Clear() { bar_.Clear(); }

 private:
  struct Going {
    RunKey key;
    Clock::time_point since;
  };

  const SweepPlan& plan_;
  std::vector<RunKey> open_;  // not started yet
  std::vector<Going> going_;
  std::vector<RunTime> times_;
  size_t done_;
  const Clock::time_point begin_ = Clock::now();
  ProgressBar bar_;
};

}  // namespace mallogram
