#include "analyzer/study/study_command.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/command/options.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/stacks/debug_options.h"
#include "analyzer/study/judge/analysis.h"
#include "analyzer/study/judge/compare.h"
#include "analyzer/study/judge/fail_on.h"
#include "analyzer/study/measures/run_study.h"
#include "analyzer/study/measures/study_directory.h"
#include "analyzer/study/report/plot_study.h"
#include "analyzer/study/report/render_study.h"
#include "analyzer/study/spec/spec.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {
namespace {

using study::StudyResult;
using study::StudySpec;

struct Options {
  enum class Mode { kRun, kCheck, kCompare } mode = Mode::kRun;
  std::vector<std::string> operands;
  study::StudySettings settings;
  std::vector<std::string> only;
  std::optional<uint32_t> reps;
  std::vector<study::Failure> fail_on;
  bool json = false, plots = true;
};

constexpr uint64_t kMostReps = 1000;

std::vector<Option> Rows(Options* options) {
  const auto mode = [options](Options::Mode wanted) -> Setter {
    return [options, wanted](absl::string_view, absl::string_view) {
      options->mode = wanted;
      return absl::OkStatus();
    };
  };
  std::vector<Option> rows = {
      {"--output", 'o', "DIR",
       "where runs and reports go (default ./NAME-study). A study\n"
       "that was stopped goes on there; what is done is not done\n"
       "again",
       Store(&options->settings.directory)},
      {"--only", 0, "TABLE,...", "these tables alone",
       [options](absl::string_view, absl::string_view value) {
         options->only = absl::StrSplit(value, ',');
         return absl::OkStatus();
       }},
      {"--reps", 0, "R", "replicates of each size, whatever the file says",
       Number(&options->reps, 1, kMostReps)},
      {"--quick", 0, "", "one replicate: --reps 1",
       [options](absl::string_view, absl::string_view) {
         options->reps = 1;
         return absl::OkStatus();
       }},
      {"--jobs", 'j', "N", "N runs at once (bytes stay exact, RSS may not)",
       Number(&options->settings.jobs, 1, kMostReps)},
      {"--fresh", 0, "", "do everything again", Store(&options->settings.fresh)},
      {"--program-dir", 0, "DIR", "look for the program there first",
       Store(&options->settings.program_dir)},
      {"--fail-on", 0, "LIST",
       "exit status 3, and a line each, if one of these holds:\n"
       "  budget       a value above its budget\n"
       "  criteria     a criterion failed\n"
       "  undecided    a criterion was not shown either way\n"
       "  law>CLASS    a value's law is surely steeper, as law>linear\n"
       "  residual>P%  more than that is left after close\n"
       "  cv>P%        replicates scatter more\n"
       "  alarm        a call site grows faster than linear",
       [options](absl::string_view, absl::string_view value) {
         const absl::StatusOr<std::vector<study::Failure>> failures =
             study::ParseFailOn(std::string(value));
         if (failures.ok()) {
           options->fail_on.insert(options->fail_on.end(), failures->begin(),
                                   failures->end());
         }
         return failures.status();
       }},
      {"--json", 0, "", "print the summary as JSON instead of the report",
       Store(&options->json)},
      {"--no-plots", 0, "", "draw nothing (plots need gnuplot)",
       Clear(&options->plots)},
      // The modes stand at the head of the help.
      {"--check", 0, "", "", mode(Options::Mode::kCheck)},
      {"--compare", 0, "", "", mode(Options::Mode::kCompare)}};
  rows.push_back(DebuginfodRow());
  Append(TerminalRows(), &rows);
  return rows;
}

absl::StatusOr<Options> Parse(Arguments arguments) {
  Options options;
  absl::StatusOr<Words> words = ParseOptions(arguments, Rows(&options));
  if (!words.ok()) return words.status();
  options.settings.quiet = IsQuiet();
  options.operands = std::move(words->operands);
  if (options.mode == Options::Mode::kCompare) {
    if (options.operands.size() == 2) return options;
    return UsageError("--compare takes two directories of studies, OLD and NEW");
  }
  if (options.operands.size() != 1) {
    return UsageError(options.operands.empty() ? "a study file is needed"
                                               : "study takes one study file");
  }
  return options;
}

// The tables named by --only, with their criteria, and replicates as asked for.
absl::Status Restrict(const Options& options, StudySpec* spec) {
  for (study::TableSpec& table : spec->tables) {
    if (options.reps.has_value()) table.runs.reps = *options.reps;
  }
  if (options.only.empty()) return absl::OkStatus();
  std::vector<absl::string_view> ids;
  for (const study::TableSpec& table : spec->tables) ids.push_back(table.id);
  for (const std::string& id : options.only) {
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
    return UsageError(absl::StrCat("--only: no table \"", id, "\" in ", spec->file,
                                   DidYouMean(id, ids)));
  }
  std::vector<study::TableSpec> tables;
  for (study::TableSpec& table : spec->tables) {
    if (std::find(options.only.begin(), options.only.end(), table.id) !=
        options.only.end()) {
      tables.push_back(std::move(table));
    }
  }
  spec->tables = std::move(tables);
  return absl::OkStatus();
}

absl::Status Check(const Options& options) {
  const absl::StatusOr<StudySpec> spec = study::ReadStudy(options.operands[0]);
  if (!spec.ok()) return spec.status();
  size_t runs = 0;
  for (const study::TableSpec& table : spec->tables) {
    runs += table.runs.sizes.size() * table.runs.reps * table.runs.variants.size();
  }
  const std::string text = absl::StrCat(
      spec->file, ": ", Plural(spec->tables.size(), "table"), ", ",
      Plural(runs, "run"), ", ",
      spec->criteria.size() == 1 ? "1 criterion"
                                 : absl::StrCat(spec->criteria.size(), " criteria"),
      "\n");
  return PrintOut(WrapLines(text, DetectStyle().width));
}

absl::Status Compare(const Options& options) {
  std::vector<study::StoredStudy> studies;
  std::vector<StudyResult> results;
  for (const std::string& directory : options.operands) {
    absl::StatusOr<study::StoredStudy> stored =
        study::ReadStudyDirectory(directory);
    if (!stored.ok()) return stored.status();
    absl::StatusOr<StudyResult> result =
        study::Analyze(stored->spec, stored->measures);
    if (!result.ok()) return result.status();
    studies.push_back(*std::move(stored));
    results.push_back(*std::move(result));
  }
  const study::StudyComparison comparison =
      study::CompareStudies({options.operands[0], results[0], studies[0].measures},
                            {options.operands[1], results[1], studies[1].measures});
  const Style style = DetectStyle();
  return PrintOut(
      options.json ? study::RenderCompareJson(comparison)
                   : study::RenderCompareText(comparison, style.utf8, style.width));
}

// Reports and plots into the directory.
absl::Status WriteReports(const Options& options, const StudyResult& result) {
  const std::string& directory = options.settings.directory;
  std::vector<study::PlotFile> plots;
  if (options.plots) {
    absl::StatusOr<std::vector<study::PlotFile>> drawn =
        study::DrawPlots(result, directory);
    if (drawn.ok()) {
      plots = *std::move(drawn);
    } else {
      Say(absl::StrCat("no plots: ", drawn.status().message()));
    }
  }
  const std::pair<const char*, std::string> reports[] = {
      {"report.txt", study::RenderStudyText(result, {false, true})},
      {"report.md", study::RenderStudyMarkdown(result, plots)},
      {"summary.json", study::RenderStudyJson(result)}};
  for (const auto& [name, text] : reports) {
    const absl::Status status =
        WriteAtomically(absl::StrCat(directory, "/", name), text);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::string DefaultDirectory(const StudySpec& spec) {
  return absl::StrCat("./", spec.name, "-study");
}

absl::StatusOr<std::vector<std::string>> RunStudyFile(
    Options options, const std::string& command_line) {
  absl::StatusOr<StudySpec> spec = study::ReadStudy(options.operands[0]);
  if (!spec.ok()) return spec.status();
  absl::Status status = Restrict(options, &*spec);
  if (!status.ok()) return status;
  std::string& directory = options.settings.directory;
  if (directory.empty()) directory = DefaultDirectory(*spec);
  const std::string shown = directory;
  directory = std::filesystem::absolute(directory).lexically_normal();
  if (absl::EndsWith(directory, "/")) directory.pop_back();

  absl::StatusOr<study::StudyMeasures> measures =
      study::RunStudy(*spec, options.settings);
  if (!measures.ok()) return measures.status();
  absl::StatusOr<StudyResult> result = study::Analyze(*spec, *measures);
  if (!result.ok()) return result.status();
  study::SetConfiguration(*measures, &*result);
  result->reproduce = command_line;
  status = WriteReports(options, *result);
  if (!status.ok()) return status;

  const Style style = DetectStyle();
  status =
      PrintOut(options.json ? study::RenderStudyJson(*result)
                            : study::RenderStudyText(
                                  *result, {style.color, style.utf8, style.width}));
  if (!status.ok()) return status;
  if (!options.settings.quiet) {
    Say(absl::StrCat("report.txt, report.md, summary.json",
                     options.plots ? ", plots/" : "", " in ", shown));
  }
  return study::FindFailures(*result, options.fail_on);
}

}  // namespace

std::string StudyHelp() {
  Options none;
  return absl::StrCat(kStudyHead, DescribeOptions(Rows(&none)), kStudyTail);
}

absl::StatusOr<int> RunStudy(Arguments arguments) {
  absl::StatusOr<Options> options = Parse(arguments);
  if (!options.ok()) return options.status();
  switch (options->mode) {
    case Options::Mode::kCheck:
      return ExitAfter(Check(*options));
    case Options::Mode::kCompare:
      return ExitAfter(Compare(*options));
    case Options::Mode::kRun:
      break;
  }
  std::vector<std::string> words = {"study"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const absl::StatusOr<std::vector<std::string>> failures = RunStudyFile(
      *std::move(options), absl::StrCat("mallogram ", JoinCommand(words)));
  if (!failures.ok()) return failures.status();
  for (const std::string& failure : *failures)
    Say(absl::StrCat("failed on ", failure));
  return failures->empty() ? 0 : kNotJudged;
}

}  // namespace mallogram
