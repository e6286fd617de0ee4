#include "analyzer/sweep/sweep_command.h"

#include <filesystem>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/launcher/record_check.h"
#include "analyzer/scaling/scaling_command.h"
#include "analyzer/sweep/plan.h"
#include "analyzer/sweep/sizes.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {

namespace {

constexpr char kHead[] =
    R"(Usage: mallogram sweep --param n=SIZES [OPTION]... [--] PROGRAM [ARGUMENT]...
       mallogram sweep DIR [OPTION]...

Runs PROGRAM at several input sizes, each time in a fresh process whose heap is
recorded, and reports how its memory and that of each call site grow. {n} in the
arguments is replaced with the size. The second form reports on a finished sweep
again.

Sizes:
)";

constexpr char kTail[] = R"(
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

struct SweepOptions {
  SweepPlan plan;
  SweepSettings settings;
  bool keep_going = false;
  std::string report_on;  // a sweep that was run before
  ScalingOptions report;
};

absl::Status TakeSizes(absl::string_view value, SweepPlan* plan) {
  if (!plan->sizes.empty()) {
    return UsageError("one --param only; other values can be given by --define");
  }
  auto parameter = ParseParameter(value);
  if (!parameter.ok()) return parameter.status();
  std::tie(plan->parameter, plan->sizes) = *std::move(parameter);
  return absl::OkStatus();
}

absl::Status TakeDefinition(absl::string_view value, SweepPlan* plan) {
  const size_t equals = value.find('=');
  if (equals == absl::string_view::npos) {
    return UsageError(
        absl::StrCat("--define takes NAME=VALUE, not \"", value, "\""));
  }
  if (!plan->constants
           .emplace(std::string(value.substr(0, equals)),
                    std::string(value.substr(equals + 1)))
           .second) {
    return UsageError(
        absl::StrCat("\"", value.substr(0, equals), "\" is defined twice"));
  }
  return absl::OkStatus();
}

std::vector<Option> SizeRows(SweepPlan* plan) {
  return {
      {"--param", 0, "n=SIZES",
       "the sizes; another name than n is as good\n"
       "  n=1,5,10k    these (10k = 10000, 1.5M, 64Ki)\n"
       "  n=1..1000:7  seven from 1 to 1000, each about the same\n"
       "               factor above the last, which is kept off 2,\n"
       "               4, 8 …: at such sizes a vector that doubles\n"
       "               looks exactly linear",
       [plan](absl::string_view, absl::string_view value) {
         return TakeSizes(value, plan);
       }},
      {"--reps", 0, "R", "R runs of each size [1]; all sizes once, then all again",
       Number(&plan->reps, 1)},
      {"--warm-up", 0, "",
       "a run of the smallest size before, which is thrown away",
       Store(&plan->warm_up)}};
}

// What is passed on to `mallogram record`.
std::vector<Option> RecordRows(SweepPlan* plan) {
  const Setter pass_on = [plan](absl::string_view name, absl::string_view value) {
    plan->record_options.push_back(absl::StrCat(name, "=", value));
    return absl::OkStatus();
  };
  static constexpr char kAsRecord[] = "as mallogram record has it";
  return {{"--sample", 0, "SIZE", kAsRecord, pass_on},
          {"--allocator", 0, "NAME", kAsRecord, pass_on},
          {"--max-depth", 0, "N", kAsRecord, pass_on},
          {"--on-full", 0, "wait|drop", kAsRecord, pass_on}};
}

std::vector<Option> RunRows(SweepOptions* options) {
  SweepPlan* const plan = &options->plan;
  std::vector<Option> rows = {
      {"--output", 'o', "DIR",
       "where the runs go [PROGRAM.sweep]. The same command there\n"
       "goes on where it stopped; it may ask for more",
       Store(&plan->directory)},
      {"--fresh", 0, "", "throw away the runs that DIR already has",
       Store(&options->settings.fresh)},
      {"--jobs", 'j', "N",
       "N runs at once. Heap figures stay exact; times and RSS may\n"
       "be disturbed",
       Number(&plan->jobs, 1)},
      {"--define", 0, "NAME=VALUE",
       "replaces {NAME}. {rep} is the replicate's number, {dir} the\n"
       "run's directory; all other braces stay as they are",
       [plan](absl::string_view, absl::string_view value) {
         return TakeDefinition(value, plan);
       }},
      {"--stdin", 0, "FILE",
       "standard input of the runs [/dev/null]; {n} is replaced",
       Store(&plan->input)},
      {"--allow-failure", 0, "",
       "take runs that end with another exit status than 0",
       Store(&plan->allow_failure)},
      {"--keep-going", 0, "", "after a run that failed, go on with the others",
       Store(&options->keep_going)},
      {"--verbose", 'v', "", "a line for each run",
       Store(&options->settings.verbose)}};
  Append(RecordRows(plan), &rows);
  return rows;
}

std::vector<Option> ReportRows(SweepOptions* options) {
  return ScalingRows(&options->report);
}

absl::StatusOr<SweepOptions> Parse(Arguments arguments) {
  SweepOptions options;
  SweepPlan& plan = options.plan;
  std::vector<Option> rows = SizeRows(&plan);
  Append(RunRows(&options), &rows);
  Append(ReportRows(&options), &rows);
  Append(FilterRows(&options.report.filters), &rows);
  // Without sizes there is nothing to run: the word is a sweep's directory.
  const absl::StatusOr<Words> words = ParseOptions(
      arguments, rows, [&plan](const std::string&) { return !plan.sizes.empty(); });
  if (!words.ok()) return words.status();
  options.settings.quiet = IsQuiet();
  plan.command.assign(words->program.begin(), words->program.end());
  const std::vector<std::string>& operands = words->operands;
  if (plan.sizes.empty() && plan.command.empty() && operands.size() == 1) {
    options.report_on = operands[0];
    return options;
  }
  if (plan.sizes.empty()) return UsageError("--param n=SIZES is needed");
  if (!operands.empty()) {
    return UsageError(
        absl::StrCat("\"", operands[0], "\" is not expected before the program"));
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

absl::StatusOr<std::vector<SweepRun>> RunOrRead(SweepOptions* options) {
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

}  // namespace

std::string SweepHelp() {
  SweepOptions none;
  return absl::StrCat(kHead, DescribeOptions(SizeRows(&none.plan)), "\nRuns:\n",
                      DescribeOptions(RunRows(&none)), "\nReport:\n",
                      DescribeOptions(ReportRows(&none)), FilterHelp(), kTail);
}

absl::StatusOr<int> RunSweep(Arguments arguments) {
  absl::StatusOr<SweepOptions> options = Parse(arguments);
  if (!options.ok()) return options.status();
  std::vector<std::string> failures;
  if (options->keep_going) options->settings.failures = &failures;
  absl::StatusOr<std::vector<SweepRun>> runs = RunOrRead(&*options);
  for (const std::string& failure : failures) Say(failure);
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
  const absl::Status reported = ReportScaling(files, options->report);
  if (!reported.ok()) return reported;
  return failures.empty() ? 0 : kFailure;
}

}  // namespace mallogram
