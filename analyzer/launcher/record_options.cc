#include "analyzer/launcher/record_options.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/report_file.h"

namespace mallogram {
namespace {

constexpr uint64_t kMaxSample = uint64_t{1} << 40;  // the library's

constexpr absl::string_view kOnFull[] = {"wait", "drop"};
constexpr absl::string_view kLeakChecks[] = {"none", "exit", "full"};
constexpr absl::string_view kOnOff[] = {"on", "off"};

constexpr char kHead[] =
    R"(Usage: mallogram [record] [OPTION]... [--] PROGRAM [ARGUMENT]...

Runs PROGRAM and records every heap allocation it makes, with its call stack. The
program's input, output, exit status and signals are its own. Child processes are
recorded into files of their own.

Options:
)";

constexpr char kTail[] = R"(
Exit status: that of PROGRAM; 127 if it was not found, 126 if it cannot be executed,
125 if it cannot be recorded. If PROGRAM is killed by a signal, so is mallogram.

Example:
  mallogram xmllint --noout big.xml
  mallogram report xmllint.*.mgram
)";

// One of the words, as the library's variable takes it.
Setter WordOf(absl::Span<const absl::string_view> words, std::string* into) {
  return [words, into](absl::string_view name, absl::string_view value) {
    const absl::Status status = FindWord(name, value, words).status();
    if (status.ok()) *into = std::string(value);
    return status;
  };
}

absl::Status SetSample(absl::string_view name, absl::string_view value,
                       std::string* sample) {
  const std::optional<double> bytes = BytesOf(value);
  if (!bytes.has_value() || *bytes < 0 ||
      *bytes > static_cast<double>(kMaxSample)) {
    return UsageError(absl::StrCat(
        name, " needs a size such as 512KiB, 1M or 65536, not \"", value, "\""));
  }
  const uint64_t whole = static_cast<uint64_t>(*bytes);
  *sample = whole > 1 ? absl::StrCat(whole) : "";
  return absl::OkStatus();
}

std::vector<Option> Rows(RecordOptions* options) {
  return {{"--output", 'o', "FILE",
           "write the trace to FILE (an older trace there is replaced);\n"
           "into a directory if FILE is one or ends with /\n"
           "[PROGRAM.PID.mgram in the current directory]",
           Store(&options->output)},
          {"--quiet", 'q', "", "no summary at the end", Store(&options->quiet)},
          ColorRow(),
          {"--max-depth", 0, "N", "keep at most N frames of each call stack [all]",
           [options](absl::string_view name, absl::string_view value) {
             uint32_t depth = 0;
             const absl::Status status = Number(&depth, 1)(name, value);
             if (status.ok()) options->max_depth = absl::StrCat(depth);
             return status;
           }},
          {"--on-full", 0, "wait|drop",
           "what the program does if the collector cannot keep up:\n"
           "wait for it, or go on and count what is lost [wait]",
           WordOf(kOnFull, &options->on_full)},
          {"--sample", 0, "SIZE",
           "follow only some blocks, one in SIZE bytes allocated on\n"
           "average (512KiB, 1M or bytes; at most 1024GiB): costs next\n"
           "to nothing; all figures become estimates with 95 %\n"
           "intervals. 0 and 1 mean every block, as without the option",
           [options](absl::string_view name, absl::string_view value) {
             return SetSample(name, value, &options->sample);
           }},
          {"--leak-check", 0, "none|exit|full",
           "classify what is still allocated at the end, for mallogram\n"
           "leaks. exit: by a look at the program's memory when it ends\n"
           "by itself or by abort; it is slowed down in no other way.\n"
           "full: also when a signal kills it (not SIGKILL); it is\n"
           "traced for life, as by a debugger, so that signals and new\n"
           "threads cost more and nobody else can trace it [exit]",
           WordOf(kLeakChecks, &options->leak_check)},
          {"--leak-budget", 0, "SECONDS|none",
           "how long that look may keep the program from ending; if it\n"
           "takes longer, nothing is classified. A signal that ends\n"
           "programs cuts it short, too [2]",
           [options](absl::string_view name, absl::string_view value) {
             if (ParseLeakBudget(value, &options->leak_budget_ns))
               return absl::OkStatus();
             return UsageError(absl::StrCat(
                 name, " takes a number of seconds or none, not \"", value, "\""));
           }},
          {"--allocator", 0, "NAME",
           "run the program with another allocator: mimalloc, jemalloc,\n"
           "tcmalloc or the path of a library",
           Store(&options->allocator)},
          {"--mismatches", 0, "on|off",
           "look for frees that do not fit: malloc and delete, new[] and\n"
           "delete, wrong sizes, double frees, addresses that nobody\n"
           "allocated; both call stacks are kept. Every free then\n"
           "costs as much as an allocation [on with --leak-check full]",
           WordOf(kOnOff, &options->mismatches)}};
}

}  // namespace

std::string RecordHelp() {
  RecordOptions none;
  return absl::StrCat(kHead, DescribeOptions(Rows(&none)), kTail);
}

bool ParseLeakBudget(absl::string_view text, uint64_t* budget_ns) {
  constexpr double kMaxSeconds = 1e9;
  if (text == "none") {
    *budget_ns = 0;
    return true;
  }
  double seconds = 0;
  if (!absl::SimpleAtod(text, &seconds) || !(seconds > 0 && seconds <= kMaxSeconds))
    return false;
  *budget_ns = std::max<uint64_t>(static_cast<uint64_t>(seconds * 1e9), 1);
  return true;
}

absl::StatusOr<RecordOptions> ParseRecordOptions(Arguments arguments) {
  RecordOptions options;
  const absl::StatusOr<Words> words = ParseOptions(
      arguments, Rows(&options), [](const std::string&) { return true; });
  if (!words.ok()) return words.status();
  if (words->program.empty())
    return UsageError("no program given; try: mallogram PROGRAM ARGUMENT...");
  if (options.mismatches == "on" && !options.sample.empty()) {
    return UsageError(
        "--mismatches on needs every block: not together with --sample");
  }
  options.program = words->program.data();
  return options;
}

}  // namespace mallogram
