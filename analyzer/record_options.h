// The command line of `mallogram record`.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace mallogram {

extern const char kRecordHelp[];

struct RecordOptions {
  std::string output;
  bool quiet = false;
  std::string max_depth, on_full;  // as the library's variables take them
  std::string sample;              // bytes; empty: every allocation is recorded
  std::string leak_check;          // none, exit or full; empty: the default
  std::string allocator;
  std::string mismatches;    // on or off; empty: with --leak-check full
  char** program = nullptr;  // PROGRAM ARGUMENT… nullptr

  // Whether to look for frees that do not fit.
  bool LooksForMismatches() const {
    if (!mismatches.empty()) return mismatches == "on";
    return leak_check == "full" && sample.empty();
  }
};

// Errors are one line for the user; Cancelled means that --help was asked for.
absl::Status ParseRecordOptions(int argc, char** argv, RecordOptions* options);

}  // namespace mallogram
