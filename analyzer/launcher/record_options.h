// The command line of `mallogram record`.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/options.h"
#include "preload/collector/collector.h"

namespace mallogram {

std::string RecordHelp();

struct RecordOptions {
  std::string output;
  bool quiet = false;
  std::string max_depth, on_full;  // as the library's variables take them
  std::string sample;              // bytes; empty: every allocation is recorded
  std::string leak_check;          // none, exit or full; empty: the default
  uint64_t leak_budget_ns = kDefaultLeakBudgetNs;  // 0: none
  std::string allocator;
  std::string mismatches;          // on or off; empty: with --leak-check full
  char* const* program = nullptr;  // PROGRAM ARGUMENT… nullptr

  // Whether to look for frees that do not fit.
  bool LooksForMismatches() const {
    if (!mismatches.empty()) return mismatches == "on";
    return leak_check == "full" && sample.empty();
  }
};

// Seconds ("2", "0.5") or "none", which is 0. False: neither, and nothing is set.
bool ParseLeakBudget(absl::string_view text, uint64_t* budget_ns);

absl::StatusOr<RecordOptions> ParseRecordOptions(Arguments arguments);

}  // namespace mallogram
