#include "analyzer/record_options.h"

#include <getopt.h>

#include <cstdint>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "analyzer/suggest.h"

namespace mallogram {
namespace {

const option kLongOptions[] = {
    {"output", required_argument, nullptr, 'o'},
    {"quiet", no_argument, nullptr, 'q'},
    {"max-depth", required_argument, nullptr, 'd'},
    {"on-full", required_argument, nullptr, 'f'},
    {"allocator", required_argument, nullptr, 'a'},
    {"help", no_argument, nullptr, 'h'},
    {nullptr, 0, nullptr, 0},
};

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
      --allocator NAME    run the program with another allocator: mimalloc, jemalloc,
                          tcmalloc or the path of a library
  -h, --help              this text

Exit status: that of PROGRAM; 127 if it was not found, 126 if it cannot be executed,
125 if it cannot be recorded. If PROGRAM is killed by a signal, so is mallogram.

Example:
  mallogram xmllint --noout big.xml
  mallogram report xmllint.*.mgram
)";

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
  options->program = argv + optind;
  return absl::OkStatus();
}

}  // namespace mallogram
