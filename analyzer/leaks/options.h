// The command line of `mallogram leaks`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/options.h"
#include "analyzer/leaks/document.h"
#include "analyzer/stacks/filters.h"

namespace mallogram {

std::string LeaksHelp();

struct LeakOptions {
  // One of these three.
  std::vector<std::string> files;
  Arguments program;  // with its arguments
  int64_t pid = 0;

  bool print_suppressions = false, gen_suppressions = false;
  bool builtin_suppressions = true, full_names = false;
  bool json = false;               // instead of text
  KindSet kinds = 0, fail_on = 0;  // kinds: 0 if not asked for
  bool fail_on_mismatch = false;
  std::vector<std::string> suppressions;  // files
  // Files to write, besides the report.
  std::string json_file, junit_file, sarif_file;
  std::string output;               // of the report; empty: standard output, or
                                    // standard error while a program uses that
  std::string recording;            // of PROGRAM; empty: a temporary one
  std::string leak_check = "full";  // of PROGRAM's recording
  std::string debug_dir;
  size_t check = 0, since = 0;  // numbers; 0: the last, none
  std::optional<uint64_t> top, depth;
  Filters filters;
};

// What an operand is: tells recordings from programs to run.
enum class Operand { kTrace, kProgram, kNeither };

// `look` says what the first operand is.
absl::StatusOr<LeakOptions> ParseLeakOptions(
    Arguments arguments, Operand (*look)(const std::string& word));

}  // namespace mallogram
