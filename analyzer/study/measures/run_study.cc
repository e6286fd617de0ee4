#include "analyzer/study/measures/run_study.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/command/terminal.h"
#include "analyzer/study/measures/measure_runs.h"
#include "analyzer/study/measures/prepare.h"
#include "analyzer/study/measures/study_directory.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram::study {
namespace {

namespace fs = std::filesystem;

bool IsProgram(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

// NAME in a directory, or in one of its subdirectories; empty: nowhere.
std::string FindBelow(const fs::path& directory, const std::string& name) {
  if (IsProgram(directory / name)) return directory / name;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (IsProgram(entry.path() / name)) return entry.path() / name;
  }
  return "";
}

SweepPlan MakePlan(const StudySpec& spec, const TableSpec& table,
                   const Variant& variant, const std::string& program,
                   const StudySettings& settings) {
  SweepPlan plan;
  plan.directory = RunsDirectory(settings.directory, table, variant);
  plan.command.push_back(program);
  const std::string input = InputFileOf(settings.directory, table, "{n}");
  for (const std::vector<std::string>* arguments :
       {&table.runs.arguments, &variant.arguments}) {
    for (const std::string& argument : *arguments) {
      plan.command.push_back(
          table.runs.prepare.empty()
              ? argument
              : absl::StrReplaceAll(argument, {{"{input}", input}}));
    }
  }
  plan.sizes = table.runs.sizes;
  plan.reps = table.runs.reps;
  plan.warm_up = table.runs.warm_up;
  plan.jobs = settings.jobs;
  plan.working_directory = StudyFileDirectory(spec);
  return plan;
}

absl::Status KeepStudyFile(const StudySpec& spec, const StudySettings& settings) {
  std::error_code error;
  fs::create_directories(settings.directory, error);
  if (error) {
    return absl::UnknownError(
        absl::StrCat("cannot make ", settings.directory, ": ", error.message()));
  }
  absl::StatusOr<std::string> text = ReadTextFile(spec.file);
  if (!text.ok()) return text.status();
  return WriteAtomically(absl::StrCat(settings.directory, "/study.toml"), *text);
}

class Runner {
 public:
  Runner(const StudySpec& spec, const StudySettings& settings, std::string program)
      : spec_(spec), settings_(settings), program_(std::move(program)) {
    for (const TableSpec& table : spec.tables) count_ += table.runs.variants.size();
  }

  absl::StatusOr<VariantMeasures> Run(const TableSpec& table,
                                      const Variant& variant) {
    const std::string name = variant.name.empty()
                                 ? table.id
                                 : absl::StrCat(table.id, ", ", variant.name);
    ++done_;
    const SweepPlan plan = MakePlan(spec_, table, variant, program_, settings_);
    SweepSettings sweep_settings;
    sweep_settings.quiet = settings_.quiet;
    sweep_settings.fresh = settings_.fresh;
    const absl::StatusOr<std::vector<SweepRun>> runs =
        RunSweep(plan, sweep_settings);
    if (!runs.ok()) return Named(name, runs.status());
    ProgressBar bar(absl::StrCat("reading ", name));
    absl::StatusOr<VariantMeasures> measures = MeasureRuns(
        spec_, *runs,
        [&bar](uint64_t done, uint64_t total) { bar.Update(done, total); });
    bar.Clear();
    if (!measures.ok()) return Named(name, measures.status());
    measures->directory = plan.directory;
    measures->command = plan.command;
    const absl::StatusOr<Sweep> sweep = ReadSweep(plan.directory);
    if (sweep.ok()) {
      measures->machine = sweep->machine;
      measures->machine["date"] = sweep->started;
    }
    Tell(name, *runs);
    return measures;
  }

 private:
  // Codes matter: Cancelled carries the signal.
  static absl::Status Named(const std::string& name, const absl::Status& status) {
    if (absl::IsCancelled(status)) return status;
    const absl::StatusCode code = absl::IsInvalidArgument(status)
                                      ? absl::StatusCode::kFailedPrecondition
                                      : status.code();
    return absl::Status(code, absl::StrCat("table ", name, ": ", status.message()));
  }

  void Tell(const std::string& name, const std::vector<SweepRun>& runs) const {
    if (settings_.quiet) return;
    double seconds = 0;
    size_t resumed = 0;
    for (const SweepRun& run : runs) {
      seconds += run.resumed ? 0 : run.seconds;
      resumed += run.resumed ? 1 : 0;
    }
    std::string text = absl::StrCat("[", done_, "/", count_, "] ", name, ": ",
                                    Plural(runs.size(), "run"));
    if (resumed != 0) absl::StrAppend(&text, ", ", resumed, " of them were there");
    if (seconds > 0) absl::StrAppend(&text, ", ", FormatSeconds(seconds));
    fprintf(stderr, "%s\n", text.c_str());
  }

  const StudySpec& spec_;
  const StudySettings& settings_;
  const std::string program_;
  size_t count_ = 0, done_ = 0;
};

}  // namespace

absl::StatusOr<std::string> FindStudyProgram(const StudySpec& spec,
                                             const std::string& program_dir) {
  const std::string& name = spec.program;
  const fs::path beside = StudyFileDirectory(spec);
  if (absl::StrContains(name, "/")) {
    const std::string path = (beside / name).lexically_normal();
    if (IsProgram(path)) return path;
    return absl::NotFoundError(absl::StrCat(spec.file, ": program \"", name, "\": ",
                                            path, " is not there, or no program"));
  }
  std::vector<std::string> places;
  std::error_code error;
  const auto look_below = [&](const fs::path& directory) {
    places.push_back(directory);
    return FindBelow(directory, name);
  };
  if (!program_dir.empty()) {
    const std::string found = look_below(fs::absolute(program_dir, error));
    if (!found.empty()) return found;
  }
  places.push_back(beside);
  if (IsProgram(beside / name)) return (beside / name).string();
  const fs::path command = fs::read_symlink("/proc/self/exe", error);
  const std::string found =
      look_below(command.parent_path().parent_path() / "workloads");
  if (!found.empty()) return found;
  const char* path = getenv("PATH");
  for (absl::string_view directory :
       absl::StrSplit(path == nullptr ? "" : path, ':')) {
    const std::string candidate = absl::StrCat(directory, "/", name);
    if (!directory.empty() && IsProgram(candidate)) return candidate;
  }
  return absl::NotFoundError(absl::StrCat(
      spec.file, ": no program \"", name, "\" in ", absl::StrJoin(places, ", "),
      " or PATH; --program-dir DIR says where it is"));
}

absl::StatusOr<StudyMeasures> RunStudy(const StudySpec& spec,
                                       const StudySettings& settings) {
  absl::StatusOr<std::string> program =
      FindStudyProgram(spec, settings.program_dir);
  if (!program.ok()) return program.status();
  absl::Status status = KeepStudyFile(spec, settings);
  if (!status.ok()) return status;
  Runner runner(spec, settings, *program);
  StudyMeasures measures;
  for (const TableSpec& table : spec.tables) {
    status = PrepareInputs(spec, table, settings.directory);
    if (!status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("table ", table.id, ": ", status.message()));
    }
    measures.emplace_back();
    for (const Variant& variant : table.runs.variants) {
      absl::StatusOr<VariantMeasures> variant_measures = runner.Run(table, variant);
      if (!variant_measures.ok()) return variant_measures.status();
      measures.back().push_back(*std::move(variant_measures));
    }
  }
  return measures;
}

}  // namespace mallogram::study
