#include "analyzer/study/measures/study_directory.h"

#include <algorithm>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "analyzer/command/files.h"
#include "analyzer/study/measures/measure_runs.h"
#include "analyzer/study/spec/spec.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram::study {
namespace {

absl::StatusOr<VariantMeasures> ReadVariant(const StudySpec& spec,
                                            const std::string& directory) {
  std::vector<std::string> runs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (std::filesystem::exists(entry.path() / std::string(kMeasuresFile))) {
      runs.push_back(entry.path());
    }
  }
  std::sort(runs.begin(), runs.end());
  MeasuresReader reader(spec);
  for (const std::string& run : runs) {
    const std::string file = absl::StrCat(run, "/", kMeasuresFile);
    absl::StatusOr<std::string> text = ReadTextFile(file);
    if (!text.ok()) return text.status();
    const absl::Status status = reader.Add(*text, run);
    if (!status.ok()) {
      return absl::DataLossError(absl::StrCat(file, ": ", status.message()));
    }
  }
  VariantMeasures variant = reader.Take();
  variant.directory = directory;
  const absl::StatusOr<Sweep> sweep = ReadSweep(directory);
  if (!sweep.ok()) return variant;  // of people who kept the measures alone
  variant.command = sweep->plan.command;
  variant.machine = sweep->machine;
  variant.machine["date"] = sweep->started;
  return variant;
}

}  // namespace

std::string RunsDirectory(absl::string_view directory, const TableSpec& table,
                          const Variant& variant) {
  return absl::StrCat(directory, "/runs/", table.id,
                      variant.name.empty() ? "" : ".", variant.name);
}

absl::StatusOr<StoredStudy> ReadStudyDirectory(const std::string& directory) {
  const std::string file = absl::StrCat(directory, "/study.toml");
  absl::StatusOr<StudySpec> spec = ReadStudy(file);
  if (absl::IsNotFound(spec.status())) {
    return absl::NotFoundError(absl::StrCat(
        directory, " is no directory of a study: there is no study.toml in it"));
  }
  if (!spec.ok()) return spec.status();
  StoredStudy study;
  study.spec = *spec;
  study.spec.tables.clear();
  for (const TableSpec& table : spec->tables) {
    std::vector<VariantMeasures> variants;
    for (const Variant& variant : table.runs.variants) {
      absl::StatusOr<VariantMeasures> measures =
          ReadVariant(*spec, RunsDirectory(directory, table, variant));
      if (!measures.ok()) return measures.status();
      if (!measures->runs.empty()) variants.push_back(*std::move(measures));
    }
    if (variants.size() != table.runs.variants.size()) continue;  // not finished
    study.spec.tables.push_back(table);
    study.measures.push_back(std::move(variants));
  }
  if (study.measures.empty()) {
    return absl::NotFoundError(
        absl::StrCat(directory, ": no table of the study has been measured"));
  }
  return study;
}

}  // namespace mallogram::study
