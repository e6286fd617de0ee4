#include "analyzer/check/check_options.h"

#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/report_file.h"
#include "analyzer/stacks/debug_options.h"

namespace mallogram {
namespace {

constexpr char kHead[] =
    R"(Usage: mallogram check [LIMIT]... [OPTION]... [--] PROGRAM [ARGUMENT]...

Runs PROGRAM recorded, with a leak check at its end, and judges what it did: a gate
for CI. One line a limit, and who broke it. Without a limit: --max-leak 0.

Limits:
)";

constexpr char kTail[] = R"(
Tests that are marked (GoogleTest with mallogram_gtest.h) are named: the blocks that a
test allocated, that were alive at its end and are lost in the end, are its leaks.

Exit status: the program's own if that is not 0; else 23 if a limit is broken, 0 if
all are kept. 2: wrong usage. 1: nothing could be recorded or read.
)";

constexpr absl::string_view kGrowthWords[] = {"none", "linear"};

std::vector<Option> LimitRows(Limits* limits) {
  return {
      {"--max-leak", 0, "BYTES",
       "lost: definitely, with all that hangs on it (0, 4096, 2KiB)",
       Bytes(&limits->leak)},
      {"--strict", 0, "", "of --max-leak: what is possibly lost counts as well",
       Store(&limits->strict)},
      {"--max-peak", 0, "BYTES", "of heap, of each process", Bytes(&limits->peak)},
      {"--max-growth", 0, "none|linear",
       "none: no call stack that goes on growing over the run;\n"
       "linear: the heap grows no faster than in proportion to the\n"
       "allocations made; what grows steadily is not refused",
       OneOf(kGrowthWords, &limits->growth)},
      {"--max-allocations", 0, "N", "of all processes together",
       Number(&limits->allocations)}};
}

std::vector<Option> OtherRows(CheckOptions* options) {
  std::vector<Option> rows = {
      {"--suppressions", 0, "FILE",
       "as for mallogram leaks; what they match does not count",
       Store(&options->suppressions)},
      {"--junit", 0, "FILE", "the verdicts as JUnit's XML",
       Store(&options->junit_file)},
      // There is no report but the verdicts, so -o can only be the recording's.
      {"--recording", 'o', "FILE", "keep the recording in FILE (default: removed)",
       Store(&options->recording)},
      {"--trace", 0, "FILE", "", Store(&options->recording)}};  // its old name
  rows.push_back(DebuginfodRow());
  Append(TerminalRows(), &rows);
  return rows;
}

}  // namespace

std::string CheckHelp() {
  CheckOptions none;
  return absl::StrCat(kHead, DescribeOptions(LimitRows(&none.limits)),
                      "\nOptions:\n", DescribeOptions(OtherRows(&none)), kTail);
}

absl::StatusOr<CheckOptions> ParseCheckOptions(Arguments arguments) {
  CheckOptions options;
  std::vector<Option> rows = LimitRows(&options.limits);
  Append(OtherRows(&options), &rows);
  const absl::StatusOr<Words> words =
      ParseOptions(arguments, rows, [](const std::string&) { return true; });
  if (!words.ok()) return words.status();
  options.program = words->program;
  if (options.program.empty()) return UsageError("check needs a PROGRAM");
  if (!options.limits.any()) options.limits.leak = 0;
  if (options.limits.strict && !options.limits.leak) options.limits.leak = 0;
  return options;
}

}  // namespace mallogram
