#include "analyzer/study/study_command.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/command/terminal.h"
#include "analyzer/study/analysis.h"
#include "analyzer/study/compare.h"
#include "analyzer/study/fail_on.h"
#include "analyzer/study/plot_study.h"
#include "analyzer/study/published.h"
#include "analyzer/study/render_study.h"
#include "analyzer/study/run_study.h"
#include "analyzer/study/spec.h"
#include "analyzer/study/study_directory.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {
namespace {

using study::StudyResult;
using study::StudySpec;

struct Options {
  enum class Mode { kRun, kCheck, kCompare, kPublished } mode = Mode::kRun;
  std::vector<std::string> operands;
  study::StudySettings settings;
  std::vector<std::string> only;
  std::optional<uint32_t> reps;
  std::vector<study::Failure> fail_on;
  bool json = false, plots = true;
};

absl::StatusOr<uint32_t> ParseCount(absl::string_view option,
                                    absl::string_view value) {
  absl::StatusOr<uint64_t> number = ParseNumber(option, value);
  if (!number.ok()) return number.status();
  if (*number < 1 || *number > 1000) {
    return UsageError(absl::StrCat(option, " takes a number from 1 to 1000"));
  }
  return static_cast<uint32_t>(*number);
}

absl::Status TakeOption(const ParsedArguments::Option& option, Options* options) {
  if (option.name == "--check") {
    options->mode = Options::Mode::kCheck;
  } else if (option.name == "--compare") {
    options->mode = Options::Mode::kCompare;
  } else if (option.name == "--published") {
    options->mode = Options::Mode::kPublished;
  } else if (option.name == "-o") {
    options->settings.directory = option.value;
  } else if (option.name == "--program-dir") {
    options->settings.program_dir = option.value;
  } else if (option.name == "--quick") {
    options->reps = 1;
  } else if (option.name == "--fresh") {
    options->settings.fresh = true;
  } else if (option.name == "--quiet") {
    options->settings.quiet = true;
  } else if (option.name == "--json") {
    options->json = true;
  } else if (option.name == "--no-plots") {
    options->plots = false;
  } else if (option.name == "--only") {
    options->only = absl::StrSplit(option.value, ',');
  } else if (option.name == "--fail-on") {
    absl::StatusOr<std::vector<study::Failure>> failures =
        study::ParseFailOn(option.value);
    if (!failures.ok()) return failures.status();
    options->fail_on.insert(options->fail_on.end(), failures->begin(),
                            failures->end());
  } else {
    absl::StatusOr<uint32_t> count = ParseCount(option.name, option.value);
    if (!count.ok()) return count.status();
    if (option.name == "-j") {
      options->settings.jobs = *count;
    } else {
      options->reps = *count;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Options> Parse(int argc, char** argv) {
  constexpr OptionSpec kSpecs[] = {
      {"--check"}, {"--compare"},       {"-o", true},   {"--program-dir", true},
      {"--quick"}, {"--reps", true},    {"-j", true},   {"--only", true},
      {"--json"},  {"--fail-on", true}, {"--no-plots"}, {"--fresh"},
      {"--quiet"}, {"--published"}};
  absl::StatusOr<ParsedArguments> parsed = ParseArguments(
      absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)), kSpecs);
  if (!parsed.ok()) return parsed.status();
  Options options;
  options.operands = parsed->operands;
  for (const ParsedArguments::Option& option : parsed->options) {
    const absl::Status status = TakeOption(option, &options);
    if (!status.ok()) return status;
  }
  if (options.mode == Options::Mode::kCompare) {
    if (options.operands.size() == 2) return options;
    return UsageError("--compare takes two directories of studies, OLD and NEW");
  }
  if (options.mode == Options::Mode::kPublished) return options;
  if (options.operands.size() != 1) {
    return UsageError(options.operands.empty() ? "a study file is needed"
                                               : "study takes one study file");
  }
  return options;
}

absl::Status Print(const std::string& text) {
  if (fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
      fflush(stdout) == 0) {
    return absl::OkStatus();
  }
  return FileError("write to", "standard output");
}

// The tables named by --only, with their criteria, and replicates as asked for.
absl::Status Restrict(const Options& options, StudySpec* spec) {
  for (study::TableSpec& table : spec->tables) {
    if (options.reps.has_value()) table.reps = *options.reps;
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
    runs += table.sizes.size() * table.reps * table.variants.size();
  }
  return Print(absl::StrCat(spec->file, ": ", Plural(spec->tables.size(), "table"),
                            ", ", Plural(runs, "run"), ", ",
                            spec->criteria.size() == 1
                                ? "1 criterion"
                                : absl::StrCat(spec->criteria.size(), " criteria"),
                            "\n"));
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
  return Print(options.json
                   ? study::RenderCompareJson(comparison)
                   : study::RenderCompareText(comparison, DetectStyle().utf8));
}

absl::Status Published(const Options& options) {
  const absl::StatusOr<study::Document> document =
      study::DescribePublished(options.operands);
  if (!document.ok()) return document.status();
  return Print(study::RenderDocumentMarkdown(*document));
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
      fprintf(stderr, "mallogram: no plots: %s\n",
              std::string(drawn.status().message()).c_str());
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
  status = Print(options.json
                     ? study::RenderStudyJson(*result)
                     : study::RenderStudyText(*result, {style.color, style.utf8}));
  if (!status.ok()) return status;
  if (!options.settings.quiet) {
    fprintf(stderr, "mallogram: report.txt, report.md, summary.json%s in %s\n",
            options.plots ? ", plots/" : "", shown.c_str());
  }
  return study::FindFailures(*result, options.fail_on);
}

}  // namespace

int RunStudyVerb(int argc, char** argv) {
  absl::StatusOr<Options> options = Parse(argc, argv);
  absl::Status status = options.status();
  if (options.ok() && options->mode == Options::Mode::kCheck) {
    status = Check(*options);
  } else if (options.ok() && options->mode == Options::Mode::kCompare) {
    status = Compare(*options);
  } else if (options.ok() && options->mode == Options::Mode::kPublished) {
    status = Published(*options);
  } else if (options.ok()) {
    const std::vector<std::string> words(argv, argv + argc);
    const absl::StatusOr<std::vector<std::string>> failures = RunStudyFile(
        *std::move(options), absl::StrCat("mallogram ", JoinCommand(words)));
    status = failures.status();
    if (failures.ok()) {
      for (const std::string& failure : *failures) {
        fprintf(stderr, "mallogram: failed on %s\n", failure.c_str());
      }
      return failures->empty() ? 0 : kNotJudged;
    }
  }
  if (status.ok()) return 0;
  const bool usage = absl::IsInvalidArgument(status);
  fprintf(stderr, "mallogram: %s%s\n", std::string(status.message()).c_str(),
          usage ? "; see mallogram help study" : "");
  if (const int number = InterruptingSignal(status)) {
    signal(number, SIG_DFL);
    raise(number);
  }
  return usage ? kUsage : kFailure;
}

}  // namespace mallogram
