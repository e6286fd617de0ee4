#include "analyzer/launcher/record_options.h"

#include <getopt.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/suggest.h"

namespace mallogram {
namespace {

constexpr uint64_t kMaxSample = uint64_t{1} << 40;  // the library's

const option kLongOptions[] = {
    {"output", required_argument, nullptr, 'o'},
    {"quiet", no_argument, nullptr, 'q'},
    {"max-depth", required_argument, nullptr, 'd'},
    {"on-full", required_argument, nullptr, 'f'},
    {"sample", required_argument, nullptr, 's'},
    {"leak-check", required_argument, nullptr, 'l'},
    {"leak-budget", required_argument, nullptr, 'b'},
    {"allocator", required_argument, nullptr, 'a'},
    {"mismatches", required_argument, nullptr, 'm'},
    {"help", no_argument, nullptr, 'h'},
    {nullptr, 0, nullptr, 0},
};

// Whole bytes. False: no size, or too large a one.
bool ParseSize(absl::string_view text, uint64_t* bytes) {
  const std::optional<double> value = BytesOf(text);
  if (!value.has_value() || *value < 0 || *value >= 0x1p63) return false;
  *bytes = static_cast<uint64_t>(*value);
  return true;
}

absl::Status UnknownOption(const std::string& word) {
  std::vector<std::string> known;
  for (const option* o = kLongOptions; o->name != nullptr; ++o) {
    known.push_back(absl::StrCat("--", o->name));
  }
  const std::string nearest = Nearest(word.substr(0, word.find('=')), known);
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown option ", word,
      nearest.empty() ? "; see mallogram record --help"
                      : absl::StrCat("; did you mean ", nearest, "?")));
}

}  // namespace

const char kRecordHelp[] =
    R"(Usage: mallogram [record] [OPTION]... [--] PROGRAM [ARGUMENT]...

Runs PROGRAM and records every heap allocation it makes, with its call stack. The
program's input, output, exit status and signals are its own. Child processes are
recorded into files of their own.

  -o, --output FILE       write the trace to FILE (an older trace there is replaced);
                          into a directory if FILE is one or ends with /
                          [PROGRAM.PID.mgram in the current directory]
  -q, --quiet             no summary at the end
      --max-depth N       keep at most N frames of each call stack [all]
      --on-full wait|drop what the program does if the collector cannot keep up:
                          wait for it, or go on and count what is lost [wait]
      --sample SIZE       follow only some blocks, one in SIZE bytes allocated on
                          average (512KiB, 1M or bytes; at most 1024GiB): costs next
                          to nothing; all figures become estimates with 95 %
                          intervals. 0 and 1 mean every block, as without the option
      --leak-check none|exit|full
                          classify what is still allocated at the end, for mallogram
                          leaks. exit: by a look at the program's memory when it ends
                          by itself or by abort; it is slowed down in no other way.
                          full: also when a signal kills it (not SIGKILL); it is
                          traced for life, as by a debugger, so that signals and new
                          threads cost more and nobody else can trace it [exit]
      --leak-budget SECONDS|none
                          how long that look may keep the program from ending; if it
                          takes longer, nothing is classified. A signal that ends
                          programs cuts it short, too [2]
      --allocator NAME    run the program with another allocator: mimalloc, jemalloc,
                          tcmalloc or the path of a library
      --mismatches on|off look for frees that do not fit: malloc and delete, new[] and
                          delete, wrong sizes, double frees, addresses that nobody
                          allocated; both call stacks are kept. Every free then
                          costs as much as an allocation [on with --leak-check full]
  -h, --help              this text

Exit status: that of PROGRAM; 127 if it was not found, 126 if it cannot be executed,
125 if it cannot be recorded. If PROGRAM is killed by a signal, so is mallogram.

Example:
  mallogram xmllint --noout big.xml
  mallogram report xmllint.*.mgram
)";

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

absl::Status ParseRecordOptions(int argc, char** argv, RecordOptions* options) {
  opterr = 0;
  optind = 0;  // glibc: scan afresh
  for (;;) {
    const int at = optind == 0 ? 1 : optind;
    const int c = getopt_long(argc, argv, "+:o:qh", kLongOptions, nullptr);
    if (c == -1) break;
    switch (c) {
      case 'o':
        options->output = optarg;
        if (options->output.empty()) {
          return absl::InvalidArgumentError("-o needs a file name");
        }
        break;
      case 'q':
        options->quiet = true;
        break;
      case 'd': {
        uint32_t depth;
        if (!absl::SimpleAtoi(optarg, &depth) || depth == 0) {
          return absl::InvalidArgumentError(absl::StrCat(
              "--max-depth needs a number of frames, 1 or more, not ", optarg));
        }
        options->max_depth = absl::StrCat(depth);
        break;
      }
      case 'f':
        options->on_full = optarg;
        if (options->on_full != "wait" && options->on_full != "drop") {
          return absl::InvalidArgumentError(
              absl::StrCat("--on-full is wait or drop, not ", optarg));
        }
        break;
      case 's': {
        uint64_t bytes;
        if (!ParseSize(optarg, &bytes) || bytes > kMaxSample) {
          return absl::InvalidArgumentError(absl::StrCat(
              "--sample needs a size such as 512KiB, 1M or 65536, not ", optarg));
        }
        options->sample = bytes > 1 ? absl::StrCat(bytes) : "";
        break;
      }
      case 'l':
        options->leak_check = optarg;
        if (options->leak_check != "none" && options->leak_check != "exit" &&
            options->leak_check != "full") {
          return absl::InvalidArgumentError(
              absl::StrCat("--leak-check is none, exit or full, not ", optarg));
        }
        break;
      case 'b':
        if (!ParseLeakBudget(optarg, &options->leak_budget_ns)) {
          return absl::InvalidArgumentError(absl::StrCat(
              "--leak-budget is a number of seconds or none, not ", optarg));
        }
        break;
      case 'm':
        options->mismatches = optarg;
        if (options->mismatches != "on" && options->mismatches != "off") {
          return absl::InvalidArgumentError(
              absl::StrCat("--mismatches is on or off, not ", optarg));
        }
        break;
      case 'a':
        options->allocator = optarg;
        break;
      case 'h':
        return absl::CancelledError("help");
      case ':':
        return absl::InvalidArgumentError(
            absl::StrCat("option ", argv[optind - 1], " needs a value"));
      default:
        return UnknownOption(
            absl::StartsWith(argv[at], "--")
                ? argv[at]
                : absl::StrCat("-", std::string(1, static_cast<char>(optopt))));
    }
  }
  if (optind >= argc) {
    return absl::InvalidArgumentError(
        "no program given; try: mallogram PROGRAM ARGUMENT...");
  }
  if (options->mismatches == "on" && !options->sample.empty()) {
    return absl::InvalidArgumentError(
        "--mismatches on needs every block: not together with --sample");
  }
  options->program = argv + optind;
  return absl::OkStatus();
}

}  // namespace mallogram
