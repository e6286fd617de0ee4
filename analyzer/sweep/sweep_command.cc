#include "analyzer/sweep/sweep_command.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/launcher/record_check.h"
#include "analyzer/scaling/scaling_command.h"
#include "analyzer/sweep/plan.h"
#include "analyzer/sweep/sizes.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {

const char kSweepHelp[] =
    R"(Usage: mallogram sweep --param n=SIZES [OPTION]... [--] PROGRAM [ARGUMENT]...
       mallogram sweep DIR [OPTION]...

Runs PROGRAM at several input sizes, each time in a fresh process whose heap is
recorded, and reports how its memory and that of each call site grow. {n} in the
arguments is replaced with the size. The second form reports on a finished sweep
again.

Sizes:
  --param n=1,5,10k     these sizes (10k = 10000, 1.5M, 64Ki); another name than n
                        is as good
  --param n=1..1000:7   seven sizes from 1 to 1000, each about the same factor above
                        the last, which is kept off 2, 4, 8 …: at such sizes a vector
                        that doubles looks exactly linear
  --reps R              R runs of each size [1]; all sizes once, then all again
  --warm-up             a run of the smallest size before, which is thrown away

Runs:
  -o, --output DIR      where the runs go [PROGRAM.sweep]. The same command there
                        goes on where it stopped; it may ask for more
  --fresh               throw away the runs that DIR already has
  -j, --jobs N          N runs at once. Heap figures stay exact; times and RSS may
                        be disturbed
  --define NAME=VALUE   replaces {NAME}. {rep} is the replicate's number, {dir} the
                        run's directory; all other braces stay as they are
  --stdin FILE          standard input of the runs [/dev/null]; {n} is replaced
  --allow-failure       take runs that end with another exit status than 0
  --keep-going          after a run that failed, go on with the others
  -v, --verbose         a line for each run
  -q, --quiet           no progress bar
  --sample SIZE, --allocator NAME, --max-depth N, --on-full wait|drop
                        as mallogram record has them

Report:
  --predict N,...       bytes at these sizes, with 95 % intervals [ten times the
                        largest size]
  --budget BYTES        the largest size whose upper bound stays within; 100MB =
                        10^8, 100MiB = 100 * 2^20
  --by METRIC           rank and decompose by peak, live, allocated or calls [peak]
  --sites IDENTITY      what makes call sites of two runs the same: stack, names
                        (without lines), line or function [stack]
  --top N, --depth N, --full-names, --debug-dir DIR
                        as mallogram report has them
  --json                everything, for programs

DIR holds sweep.json and a directory for each run, such as n=10,rep=2, with the
program's stdout and stderr and its recordings, which every verb takes.

It takes at least 4 sizes over a factor 4; 6 or more over two decades, three runs
each, make a firm verdict.

Exit status: 0; 1 if a run failed; 2 for a mistake in the command line.

Examples:
  mallogram sweep --param n=100..100k:7 --reps 3 -- ./server --sessions {n}
  mallogram sweep --param n=1k..1M:8 --stdin lines-{n}.txt -- sort
  mallogram sweep --param n=10,30,100,300,1k,3k -- sh -c 'seq {n} | jq -s add'
  mallogram report server.sweep/n=100000,rep=1
)";

namespace {

struct SweepOptions {
  SweepPlan plan;
  SweepSettings settings;
  bool keep_going = false;
  std::string report_on;  // a sweep that was run before
  ScalingOptions report;
};

std::vector<OptionSpec> Specs() {
  std::vector<OptionSpec> specs = {{"--param", true},
                                   {"--reps", true},
                                   {"--warm-up"},
                                   {"-o", true},
                                   {"--output", true},
                                   {"--fresh"},
                                   {"-j", true},
                                   {"--jobs", true},
                                   {"--define", true},
                                   {"--stdin", true},
                                   {"--allow-failure"},
                                   {"--keep-going"},
                                   {"-v"},
                                   {"--verbose"},
                                   {"-q"},
                                   {"--quiet"},
                                   {"--sample", true},
                                   {"--allocator", true},
                                   {"--max-depth", true},
                                   {"--on-full", true}};
  specs.insert(specs.end(), kScalingOptions.begin(), kScalingOptions.end());
  return specs;
}

// Cuts the command off the arguments: it begins after "--" or, if sizes were given,
// with the first word that is no option.
std::vector<std::string> TakeCommand(const std::vector<OptionSpec>& specs,
                                     std::vector<std::string>* arguments) {
  bool sizes_given = false;
  size_t begin = 0, end = 0;  // of what is neither option nor command
  for (; begin < arguments->size(); begin = end) {
    const std::string& word = (*arguments)[begin];
    end = begin + 1;
    if (word == "--") break;
    if (word.size() < 2 || word[0] != '-') {
      if (!sizes_given) continue;
      end = begin;
      break;
    }
    if (absl::StartsWith(word, "--param")) sizes_given = true;
    // -j4, -oDIR
    if (word.size() > 2 && word[2] != '=' && (word[1] == 'j' || word[1] == 'o')) {
      const std::string value = word.substr(2);
      (*arguments)[begin].resize(2);
      arguments->insert(arguments->begin() + static_cast<ptrdiff_t>(begin) + 1,
                        value);
    }
    const auto spec = std::find_if(
        specs.begin(), specs.end(),
        [&](const OptionSpec& s) { return s.name == (*arguments)[begin]; });
    if (spec != specs.end() && spec->takes_value) ++end;
  }
  end = std::min(end, arguments->size());
  std::vector<std::string> command(arguments->begin() + static_cast<ptrdiff_t>(end),
                                   arguments->end());
  arguments->resize(std::min(begin, arguments->size()));
  return command;
}

absl::Status TakeSizes(const std::string& value, SweepPlan* plan) {
  if (!plan->sizes.empty()) {
    return UsageError("one --param only; other values can be given by --define");
  }
  auto parameter = ParseParameter(value);
  if (!parameter.ok()) return parameter.status();
  std::tie(plan->parameter, plan->sizes) = *std::move(parameter);
  return absl::OkStatus();
}

absl::Status TakeDefinition(const std::string& value, SweepPlan* plan) {
  const size_t equals = value.find('=');
  if (equals == std::string::npos) {
    return UsageError(
        absl::StrCat("--define takes NAME=VALUE, not \"", value, "\""));
  }
  if (!plan->constants.emplace(value.substr(0, equals), value.substr(equals + 1))
           .second) {
    return UsageError(
        absl::StrCat("\"", value.substr(0, equals), "\" is defined twice"));
  }
  return absl::OkStatus();
}

absl::Status TakeCount(const ParsedArguments::Option& option, uint32_t* count) {
  if (absl::SimpleAtoi(option.value, count) && *count > 0) return absl::OkStatus();
  return UsageError(absl::StrCat("option ", option.name,
                                 " needs a number above 0, not \"", option.value,
                                 "\""));
}

absl::Status TakeOption(const ParsedArguments::Option& option,
                        SweepOptions* options) {
  SweepPlan& plan = options->plan;
  const absl::StatusOr<bool> taken = ParseScalingOption(option, &options->report);
  if (!taken.ok() || *taken) return taken.status();
  const absl::string_view name = option.name;
  if (name == "--param") return TakeSizes(option.value, &plan);
  if (name == "--define") return TakeDefinition(option.value, &plan);
  if (name == "--reps") return TakeCount(option, &plan.reps);
  if (name == "-j" || name == "--jobs") return TakeCount(option, &plan.jobs);
  if (name == "-o" || name == "--output") {
    if (option.value.empty()) return UsageError("-o needs the name of a directory");
    plan.directory = option.value;
  } else if (name == "--stdin") {
    plan.input = option.value;
  } else if (name == "--warm-up") {
    plan.warm_up = true;
  } else if (name == "--fresh") {
    options->settings.fresh = true;
  } else if (name == "--allow-failure") {
    plan.allow_failure = true;
  } else if (name == "--keep-going") {
    options->keep_going = true;
  } else if (name == "-v" || name == "--verbose") {
    options->settings.verbose = true;
  } else if (name == "-q" || name == "--quiet") {
    options->settings.quiet = true;
  } else {
    plan.record_options.push_back(absl::StrCat(name, "=", option.value));
  }
  return absl::OkStatus();
}

absl::StatusOr<SweepOptions> Parse(int argc, char** argv) {
  const std::vector<OptionSpec> specs = Specs();
  std::vector<std::string> arguments(argv + 1, argv + argc);
  SweepOptions options;
  options.plan.command = TakeCommand(specs, &arguments);
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  absl::StatusOr<ParsedArguments> parsed =
      ParseArguments(absl::MakeSpan(words), specs);
  if (!parsed.ok()) return parsed.status();
  for (const ParsedArguments::Option& option : parsed->options) {
    const absl::Status status = TakeOption(option, &options);
    if (!status.ok()) return status;
  }
  SweepPlan& plan = options.plan;
  if (plan.sizes.empty() && plan.command.empty() && parsed->operands.size() == 1) {
    options.report_on = parsed->operands[0];
    return options;
  }
  if (plan.sizes.empty()) return UsageError("--param n=SIZES is needed");
  if (!parsed->operands.empty()) {
    return UsageError(absl::StrCat("\"", parsed->operands[0],
                                   "\" is not expected before the program"));
  }
  if (plan.command.empty()) return UsageError("no program is given");
  if (plan.directory.empty()) {
    plan.directory = absl::StrCat(
        std::filesystem::path(plan.command[0]).filename().string(), ".sweep");
  }
  return options;
}

absl::Status CheckProgram(const SweepPlan& plan) {
  const absl::StatusOr<SweepPlan> checked = CheckPlan(plan);
  if (!checked.ok()) return checked.status();
  const RunKey first{checked->sizes[0], 1};
  const absl::Status status = FindProgram(RunCommand(*checked, first)[0]).status();
  if (status.ok()) return status;
  return absl::FailedPreconditionError(status.message());
}

void Say(absl::string_view text) {
  fprintf(stderr, "mallogram: %s\n", std::string(text).c_str());
}

absl::StatusOr<std::vector<SweepRun>> Runs(SweepOptions* options) {
  SweepPlan& plan = options->plan;
  if (!options->report_on.empty()) {
    absl::StatusOr<Sweep> sweep = ReadSweep(options->report_on);
    if (!sweep.ok()) return sweep.status();
    plan = std::move(sweep->plan);
    const size_t expected = plan.sizes.size() * plan.reps;
    if (sweep->runs.size() < expected) {
      Say(absl::StrCat("only ", sweep->runs.size(), " of ", expected,
                       " runs are done in ", options->report_on));
    }
    return std::move(sweep->runs);
  }
  const absl::Status status = CheckProgram(plan);
  if (!status.ok()) return status;
  if (plan.jobs > 1 && !options->settings.quiet) {
    Say("runs at the same time disturb each other's times and RSS; heap figures "
        "stay exact");
  }
  return RunSweep(plan, options->settings);
}

absl::Status Sweeping(int argc, char** argv, bool* some_failed) {
  absl::StatusOr<SweepOptions> options = Parse(argc, argv);
  if (!options.ok()) return options.status();
  std::vector<std::string> failures;
  if (options->keep_going) options->settings.failures = &failures;
  absl::StatusOr<std::vector<SweepRun>> runs = Runs(&*options);
  for (const std::string& failure : failures) Say(failure);
  *some_failed = !failures.empty();
  if (!runs.ok()) return runs.status();
  if (runs->empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no run is done in ", options->plan.directory));
  }
  std::vector<RunFiles> files;
  for (const SweepRun& run : *runs) {
    files.push_back({run.n, run.rep, run.directory, run.files});
  }
  options->report.parameter = options->plan.parameter;
  return ReportScaling(files, options->report);
}

// So that a shell's loop ends, too.
[[noreturn]] void DieOf(int number) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  raise(number);
  _exit(128 + number);
}

}  // namespace

int RunSweepVerb(int argc, char** argv) {
  bool some_failed = false;
  const absl::Status status = Sweeping(argc, argv, &some_failed);
  if (status.ok()) return some_failed ? kFailure : 0;
  const bool usage = absl::IsInvalidArgument(status);
  Say(absl::StrCat(status.message(), usage ? "; see mallogram help sweep" : ""));
  const int number = InterruptingSignal(status);
  if (number != 0) DieOf(number);
  return usage ? kUsage : kFailure;
}

}  // namespace mallogram
