#include "analyzer/check/check_options.h"

#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"

namespace mallogram {
namespace {

constexpr OptionSpec kSpecs[] = {{"--max-leak", true},
                                 {"--strict"},
                                 {"--max-peak", true},
                                 {"--max-growth", true},
                                 {"--max-allocations", true},
                                 {"--suppressions", true},
                                 {"--junit", true},
                                 {"-o", true},
                                 {"--trace", true},
                                 {"--help"},
                                 {"-h"}};

// Bytes, 0 among them.
absl::StatusOr<uint64_t> ParseLimit(const ParsedArguments::Option& option) {
  const std::optional<double> bytes = BytesOf(option.value);
  if (!bytes.has_value() || *bytes < 0 || *bytes > 1e18) {
    return UsageError(absl::StrCat("option ", option.name,
                                   " takes bytes, as in 0, ",
                                   "4096 or 64MiB; not \"", option.value, "\""));
  }
  return static_cast<uint64_t>(*bytes);
}

absl::StatusOr<GrowthLimit> ParseGrowth(const std::string& value) {
  constexpr absl::string_view kWords[] = {"none", "linear"};
  if (value == kWords[0]) return GrowthLimit::kNone;
  if (value == kWords[1]) return GrowthLimit::kLinear;
  return UsageError(absl::StrCat("--max-growth is none or linear, not \"", value,
                                 "\"", DidYouMean(value, kWords)));
}

template <typename T>
absl::Status Set(absl::StatusOr<T> value, std::optional<T>* limit) {
  if (value.ok()) *limit = *value;
  return value.status();
}

absl::Status Apply(const ParsedArguments::Option& option, CheckOptions* options) {
  Limits& limits = options->limits;
  if (option.name == "--max-leak") return Set(ParseLimit(option), &limits.leak);
  if (option.name == "--max-peak") return Set(ParseLimit(option), &limits.peak);
  if (option.name == "--max-growth")
    return Set(ParseGrowth(option.value), &limits.growth);
  if (option.name == "--max-allocations")
    return Set(ParseNumber(option.name, option.value), &limits.allocations);
  if (option.name == "--help" || option.name == "-h") {
    options->help = true;
    return absl::OkStatus();
  }
  if (option.name == "--strict") {
    limits.strict = true;
    return absl::OkStatus();
  }
  if (option.value.empty())
    return UsageError(absl::StrCat("option ", option.name, " needs a name"));
  if (option.name == "--suppressions") {
    options->suppressions.push_back(option.value);
  } else if (option.name == "--junit") {
    options->junit_file = option.value;
  } else {
    options->trace = option.value;
  }
  return absl::OkStatus();
}

}  // namespace

const char kCheckHelp[] =
    R"(Usage: mallogram check [LIMIT]... [OPTION]... [--] PROGRAM [ARGUMENT]...

Runs PROGRAM recorded, with a leak check at its end, and judges what it did: a gate
for CI. One line a limit, and who broke it. Without a limit: --max-leak 0.

Limits
  --max-leak BYTES        lost: definitely, with all that hangs on it (0, 4096, 2KiB)
  --strict                of --max-leak: what is possibly lost counts as well
  --max-peak BYTES        of heap, of each process
  --max-growth none       no call stack that goes on growing over the run
  --max-growth linear     the heap grows no faster than in proportion to the
                          allocations made; what grows steadily is not refused
  --max-allocations N     of all processes together

Options
  --suppressions FILE     as for mallogram leaks; what they match does not count
  --junit FILE            the verdicts as JUnit's XML
  -o, --trace FILE        keep the recording

Tests that are marked (GoogleTest with mallogram_gtest.h) are named: the blocks that a
test allocated, that were alive at its end and are lost in the end, are its leaks.

Exit status: the program's own if that is not 0; else 23 if a limit is broken, 0 if
all are kept. 2: wrong usage. 1: nothing could be recorded or read.
)";

absl::StatusOr<CheckOptions> ParseCheckOptions(absl::Span<char* const> arguments) {
  // ParseArguments takes copies; the program needs its own words.
  absl::StatusOr<ParsedArguments> parsed =
      ParseArguments(arguments, kSpecs, /*until_operand=*/true);
  if (!parsed.ok()) return parsed.status();
  CheckOptions options;
  for (const ParsedArguments::Option& option : parsed->options) {
    const absl::Status status = Apply(option, &options);
    if (!status.ok()) return status;
  }
  if (options.help) return options;
  const size_t words = parsed->operands.size();
  if (words == 0) return UsageError("check needs a PROGRAM");
  for (size_t i = arguments.size() - words; i < arguments.size(); ++i) {
    options.program.push_back(arguments[i]);
  }
  if (!options.limits.any()) options.limits.leak = 0;
  if (options.limits.strict && !options.limits.leak) options.limits.leak = 0;
  return options;
}

}  // namespace mallogram
