// What a plan means: its runs, their names, directories and command lines.
// Nothing is read but the working directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {

inline constexpr uint32_t kWarmUp = 0;  // as a replicate: one that does not count

// Which run: its size as a plain number, and its replicate, from 1.
struct RunKey {
  std::string size;
  uint32_t rep = 1;
};

// The plan with its sizes expanded (sizes.h) and checked: all that can be known to
// be wrong before anything runs is InvalidArgument.
absl::StatusOr<SweepPlan> CheckPlan(SweepPlan plan);

// In the order in which they are run: all sizes once, smallest first, then all a
// second time … so that a machine that gets slower disturbs all sizes alike.
std::vector<RunKey> RunOrder(const SweepPlan& plan);

// "n=10,rep=2": the name of the run's directory.
std::string RunName(const SweepPlan& plan, const RunKey& key);
// "n=10 (replicate 2 of 3)", for people.
std::string RunTitle(const SweepPlan& plan, const RunKey& key);
std::string RunDirectory(const SweepPlan& plan, const RunKey& key);

// With everything in braces replaced.
std::vector<std::string> RunCommand(const SweepPlan& plan, const RunKey& key);
std::string RunInput(const SweepPlan& plan, const RunKey& key);  // empty: none

// Why runs of `other` cannot be taken for runs of `plan`, as the end of a sentence
// that begins with the directory's name; empty if they can. More sizes or
// replicates in `plan` are no reason.
std::string PlanDifference(const SweepPlan& other, const SweepPlan& plan);

}  // namespace mallogram
