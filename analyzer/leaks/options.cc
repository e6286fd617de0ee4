#include "analyzer/leaks/options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/cli.h"

namespace mallogram {
namespace {

constexpr OptionSpec kSpecs[] = {{"--json", false, true},
                                 {"--kinds", true},
                                 {"--fail-on", true},
                                 {"--suppressions", true},
                                 {"--gen-suppressions"},
                                 {"--print-suppressions"},
                                 {"--no-builtin-suppressions"},
                                 {"--junit", true},
                                 {"--sarif", true},
                                 {"--output", true},
                                 {"--trace", true},
                                 {"-o", true},
                                 {"--pid", true},
                                 {"--check", true},
                                 {"--since", true},
                                 {"--top", true},
                                 {"--depth", true},
                                 {"--full-names"},
                                 {"--debug-dir", true},
                                 {"--leak-check", true},
                                 {"--help"},
                                 {"-h"}};

absl::Status SetNumber(const ParsedArguments::Option& option, uint64_t least,
                       uint64_t* number) {
  const absl::StatusOr<uint64_t> value = ParseNumber(option.name, option.value);
  if (!value.ok()) return value.status();
  if (*value < least)
    return UsageError(absl::StrCat("option ", option.name, " counts from ", least));
  *number = *value;
  return absl::OkStatus();
}

absl::Status SetText(const ParsedArguments::Option& option, std::string* text) {
  if (option.value.empty())
    return UsageError(absl::StrCat("option ", option.name, " needs a name"));
  *text = option.value;
  return absl::OkStatus();
}

absl::Status SetKinds(const ParsedArguments::Option& option, bool* mismatch,
                      KindSet* kinds) {
  const absl::StatusOr<KindSet> set =
      ParseKinds(option.name, option.value, mismatch);
  if (set.ok()) *kinds = *set;
  return set.status();
}

absl::Status SetLeakCheck(const ParsedArguments::Option& option,
                          std::string* mode) {
  constexpr absl::string_view kModes[] = {"exit", "full"};
  for (const absl::string_view known : kModes) {
    if (option.value != known) continue;
    *mode = option.value;
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat("--leak-check is exit or full, not \"",
                                 option.value, "\"",
                                 DidYouMean(option.value, kModes)));
}

absl::Status Set(const ParsedArguments::Option& option, LeakOptions* options) {
  const absl::string_view name = option.name;
  uint64_t number = 0;
  absl::Status status;
  if (name == "--json") {
    if (option.value.empty()) {
      options->json = true;
    } else {
      options->json_file = option.value;
    }
  } else if (name == "--kinds") {
    status = SetKinds(option, nullptr, &options->kinds);
  } else if (name == "--fail-on") {
    status = SetKinds(option, &options->fail_on_mismatch, &options->fail_on);
  } else if (name == "--suppressions") {
    status = SetText(option, &options->suppressions.emplace_back());
  } else if (name == "--gen-suppressions") {
    options->gen_suppressions = true;
  } else if (name == "--print-suppressions") {
    options->print_suppressions = true;
  } else if (name == "--no-builtin-suppressions") {
    options->builtin_suppressions = false;
  } else if (name == "--junit") {
    status = SetText(option, &options->junit_file);
  } else if (name == "--sarif") {
    status = SetText(option, &options->sarif_file);
  } else if (name == "--output") {
    status = SetText(option, &options->output);
  } else if (name == "--trace" || name == "-o") {
    status = SetText(option, &options->trace);
  } else if (name == "--pid") {
    status = SetNumber(option, 1, &number);
    options->pid = static_cast<int64_t>(number);
  } else if (name == "--check") {
    status = SetNumber(option, 1, &number);
    options->check = number;
  } else if (name == "--since") {
    status = SetNumber(option, 1, &number);
    options->since = number;
  } else if (name == "--top") {
    options->top_set = true;
    status = SetNumber(option, 0, &options->top);
  } else if (name == "--depth") {
    options->depth_set = true;
    status = SetNumber(option, 0, &options->depth);
  } else if (name == "--full-names") {
    options->full_names = true;
  } else if (name == "--debug-dir") {
    status = SetText(option, &options->debug_dir);
  } else if (name == "--leak-check") {
    status = SetLeakCheck(option, &options->leak_check);
  } else {
    options->help = true;
  }
  return status;
}

absl::Status Check(const LeakOptions& options) {
  if (options.help || options.print_suppressions) return absl::OkStatus();
  if (options.pid != 0 && (!options.files.empty() || !options.program.empty()))
    return UsageError(
        "--pid takes the place of a FILE or PROGRAM: give one of them");
  if (options.pid == 0 && options.files.empty() && options.program.empty())
    return UsageError("leaks needs a FILE, a PROGRAM, or --pid");
  if (!options.trace.empty() && options.program.empty())
    return UsageError("-o is for a PROGRAM: where its recording goes");
  if (options.gen_suppressions && options.json)
    return UsageError("--gen-suppressions is instead of --json");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<KindSet> ParseKinds(absl::string_view option,
                                   absl::string_view words, bool* mismatch) {
  KindSet set = 0;
  if (mismatch != nullptr) *mismatch = false;
  std::vector<absl::string_view> known = {"all"};
  for (size_t i = 0; i < kLeakKinds; ++i)
    known.push_back(KindName(static_cast<LeakKind>(i)));
  if (mismatch != nullptr) {
    known.push_back("mismatch");
    known.push_back("none");
  }
  for (const absl::string_view word : absl::StrSplit(words, ',')) {
    if (word == "all") {
      set |= kAllKinds & ~(mismatch != nullptr ? SetOf(LeakKind::kIgnored) : 0);
      if (mismatch != nullptr) *mismatch = true;
      continue;
    }
    if (mismatch != nullptr && word == "mismatch") {
      *mismatch = true;
      continue;
    }
    if (mismatch != nullptr && word == "none") continue;
    size_t i = 0;
    while (i < kLeakKinds && word != KindName(static_cast<LeakKind>(i))) ++i;
    if (i == kLeakKinds) {
      return UsageError(absl::StrCat(option, " takes ", absl::StrJoin(known, ", "),
                                     "; not \"", word, "\"",
                                     DidYouMean(word, known)));
    }
    set |= SetOf(static_cast<LeakKind>(i));
  }
  return set;
}

absl::StatusOr<LeakOptions> ParseLeakOptions(
    absl::Span<char* const> arguments, Operand (*look)(const std::string& word)) {
  // First as far as the first operand: behind a program, options are its own.
  absl::StatusOr<ParsedArguments> parsed =
      ParseArguments(arguments, kSpecs, /*until_operand=*/true);
  if (!parsed.ok()) return parsed.status();
  LeakOptions options;
  if (!parsed->operands.empty()) {
    const std::string word = parsed->operands[0];
    switch (look(word)) {
      case Operand::kTrace:
        parsed = ParseArguments(arguments, kSpecs);
        if (!parsed.ok()) return parsed.status();
        options.files = parsed->operands;
        break;
      case Operand::kProgram: {
        const size_t count = parsed->operands.size();
        options.program.assign(arguments.end() - static_cast<ptrdiff_t>(count),
                               arguments.end());
        break;
      }
      case Operand::kNeither:
        return UsageError(absl::StrCat(
            word, " is neither a recording nor a program that can be run"));
    }
  }
  for (const ParsedArguments::Option& option : parsed->options) {
    const absl::Status status = Set(option, &options);
    if (!status.ok()) return status;
  }
  const absl::Status status = Check(options);
  if (!status.ok()) return status;
  return options;
}

}  // namespace mallogram
