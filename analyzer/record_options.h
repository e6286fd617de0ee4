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
  char** program = nullptr;  // PROGRAM ARGUMENT… nullptr
};

// Errors are one line for the user; Cancelled means that --help was asked for.
absl::Status ParseRecordOptions(int argc, char** argv, RecordOptions* options);

}  // namespace mallogram
