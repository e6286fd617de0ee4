#include "analyzer/leaks/options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/report_file.h"
#include "analyzer/stacks/debug_options.h"

namespace mallogram {
namespace {

constexpr char kHead[] = R"(Usage: mallogram leaks [OPTIONS] FILE...
       mallogram leaks [OPTIONS] [--] PROGRAM [ARGUMENTS...]
       mallogram leaks [OPTIONS] --pid PID

Shows what a program lost: blocks that it did not free, what still points to them,
and the call stacks that allocated them. FILEs are recordings (or directories of
them); a PROGRAM is recorded first; --pid looks into a process that is being
recorded, which goes on afterwards.

Kinds, as in Valgrind's Memcheck:
  definite      no pointer to the block is left
  indirect      only lost blocks point to it; counted with the one at their head
  possible      only pointers into its middle are left
  reachable     something still points to it
  growth        reachable, but its call site keeps growing
  unclassified  alive at the end of a process that nobody could look into
  ignored       the program said that it is not to be reported

Options:
)";

constexpr char kOfPrograms[] = R"(
Of a PROGRAM, whose input, output and signals are its own:
)";

constexpr char kTail[] = R"(
The report goes to standard output, that of a PROGRAM to standard error. --json
prints on standard output even then, after what the program has printed; --json=FILE
or -o FILE keep them apart. A program's own __lsan_default_suppressions() is
honoured if it returns a constant.

Exit status:
  0     nothing of --fail-on was found
  23    something was
  3     --fail-on cannot be judged: a process was not looked into, and has blocks
  2     a mistake in the command line, or a file that cannot be used
  1     another error
Of a PROGRAM, instead of 0: its own (128 + N if signal N killed it); 125 to 127 as
`mallogram record` if it cannot be run.

Examples:
  mallogram leaks ./server --port 8080
  mallogram leaks --fail-on definite,possible --junit leaks.xml ./unit_tests
  mallogram leaks --kinds all run.mgram
  mallogram leaks --since 1 run.mgram
  mallogram leaks --gen-suppressions run.mgram > known.supp
  mallogram leaks --json run.mgram | jq '.summary.definite.bytes'
)";

constexpr absl::string_view kLeakChecks[] = {"exit", "full"};

// Words of --fail-on or --kinds; "mismatch" sets *mismatch, or is an error if that
// is nullptr.
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

Setter Kinds(KindSet* kinds, bool* mismatch) {
  return [kinds, mismatch](absl::string_view name, absl::string_view value) {
    const absl::StatusOr<KindSet> set = ParseKinds(name, value, mismatch);
    if (set.ok()) *kinds = *set;
    return set.status();
  };
}

// --json, or --json=FILE.
Setter JsonOrFile(LeakOptions* options) {
  return [options](absl::string_view, absl::string_view value) {
    if (value.empty()) {
      options->json = true;
    } else {
      options->json_file = std::string(value);
    }
    return absl::OkStatus();
  };
}

std::vector<Option> WhatRows(LeakOptions* options) {
  std::vector<Option> rows = {
      {"--kinds", 0, "KIND,...",
       "kinds to show, or all (default: definite,possible,growth,\n"
       "unclassified; with --json and --sarif: see below)",
       Kinds(&options->kinds, nullptr)},
      {"--fail-on", 0, "KIND,...",
       "exit with status 23 if any of these is found; also: mismatch\n"
       "(freed by the wrong function), all, none (default)",
       Kinds(&options->fail_on, &options->fail_on_mismatch)},
      {"--check", 0, "N",
       "use the Nth leak check of a recording (default: the last)",
       Number(&options->check, 1)},
      {"--since", 0, "N", "show what changed since the Nth check",
       Number(&options->since, 1)},
      {"--top", 0, "N",
       "show N records of a process (default 20; JSON: all; 0: all)",
       Number(&options->top)},
      {"--depth", 0, "N", "show N callers of each (default 12; 0: all)",
       Number(&options->depth)},
      {"--full-names", 0, "",
       "functions with all arguments, files with directories",
       Store(&options->full_names)},
      {"--pid", 0, "PID",
       "look into this process, which is being recorded and goes on",
       Number(&options->pid, 1)}};
  Append(DebugRows(&options->debug_dir), &rows);
  return rows;
}

std::vector<Option> SuppressionRows(LeakOptions* options) {
  return {{"--suppressions", 0, "FILE",
           "do not report what FILE describes, in LeakSanitizer's\n"
           "or Valgrind's syntax; can be given several times",
           Store(&options->suppressions)},
          {"--gen-suppressions", 0, "",
           "instead of the report, print suppressions for what is found",
           Store(&options->gen_suppressions)},
          {"--print-suppressions", 0, "", "print the built-in suppressions",
           Store(&options->print_suppressions)},
          {"--no-builtin-suppressions", 0, "",
           "report also what the C and C++ libraries keep for good",
           Clear(&options->builtin_suppressions)}};
}

std::vector<Option> OutputRows(LeakOptions* options) {
  std::vector<Option> rows = {
      OutputRow(&options->output,
                "; --recording FILE keeps the recording of a PROGRAM"),
      {"--json", 0, "[=FILE]",
       "report as one JSON object, described by leaks.schema.json:\n"
       "all kinds; what is suppressed is marked, and not counted;\n"
       "with =FILE: write that to FILE, beside the report",
       JsonOrFile(options)},
      {"--junit", 0, "FILE",
       "write JUnit XML: records of --fail-on (or of --kinds) fail",
       Store(&options->junit_file)},
      {"--sarif", 0, "FILE",
       "write SARIF 2.1.0 for code scanning (kinds as in text)",
       Store(&options->sarif_file)}};
  Append(TerminalRows(), &rows);
  return rows;
}

std::vector<Option> ProgramRows(LeakOptions* options) {
  return {
      {"--recording", 0, "FILE", "keep its recording in FILE (default: removed)",
       Store(&options->recording)},
      {"--trace", 0, "FILE", "", Store(&options->recording)},  // its old name
      {"--leak-check", 0, "MODE",
       "when it is looked into: at its end (exit), or also when a\n"
       "signal kills it (full; default)",
       [options](absl::string_view name, absl::string_view value) {
         const absl::Status status = FindWord(name, value, kLeakChecks).status();
         if (status.ok()) options->leak_check = std::string(value);
         return status;
       }}};
}

absl::Status Check(const LeakOptions& options) {
  if (options.print_suppressions) return absl::OkStatus();
  if (options.pid != 0 && (!options.files.empty() || !options.program.empty()))
    return UsageError(
        "--pid takes the place of a FILE or PROGRAM: give one of them");
  if (options.pid == 0 && options.files.empty() && options.program.empty())
    return UsageError("leaks needs a FILE, a PROGRAM, or --pid");
  if (!options.recording.empty() && options.program.empty())
    return UsageError("--recording is for a PROGRAM: where its recording goes");
  if (options.gen_suppressions && options.json)
    return UsageError(
        "--gen-suppressions takes the place of --json: leave one out");
  return absl::OkStatus();
}

}  // namespace

std::string LeaksHelp() {
  LeakOptions none;
  return absl::StrCat(kHead, DescribeOptions(WhatRows(&none)), "\n",
                      DescribeOptions(SuppressionRows(&none)), "\n",
                      DescribeOptions(OutputRows(&none)), FilterHelp(), kOfPrograms,
                      DescribeOptions(ProgramRows(&none)), kTail);
}

absl::StatusOr<LeakOptions> ParseLeakOptions(
    Arguments arguments, Operand (*look)(const std::string& word)) {
  LeakOptions options;
  std::vector<Option> rows = WhatRows(&options);
  Append(SuppressionRows(&options), &rows);
  Append(OutputRows(&options), &rows);
  Append(FilterRows(&options.filters), &rows);
  Append(ProgramRows(&options), &rows);
  // Behind a program, options are its own.
  Operand first = Operand::kNeither;
  bool looked = false;
  absl::StatusOr<Words> words =
      ParseOptions(arguments, rows, [&](const std::string& word) {
        if (!looked) first = look(word);
        looked = true;
        return first != Operand::kTrace;
      });
  if (!words.ok()) return words.status();
  options.files = std::move(words->operands);
  options.program = words->program;
  if (!looked && !options.program.empty()) first = look(options.program[0]);
  if (first == Operand::kTrace) {  // what follows a "--" are FILEs as well
    options.files.insert(options.files.end(), options.program.begin(),
                         options.program.end());
    options.program = {};
  } else if (first == Operand::kNeither && !options.program.empty()) {
    return UsageError(
        absl::StrCat(options.program[0],
                     " is neither a recording nor a program that can be run"));
  }
  const absl::Status status = Check(options);
  if (!status.ok()) return status;
  return options;
}

}  // namespace mallogram
