// The directory of a study: where its runs, inputs and reports are, and what can be
// read from it without any recording.
//
//   study.toml                     the study file, as it was run
//   inputs/TABLE/SIZE              made by `prepare`
//   runs/TABLE[.VARIANT]/          a sweep; measures.json in every run
//   plots/  report.txt  report.md  summary.json
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/study/measures/measures.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

std::string RunsDirectory(absl::string_view directory, const TableSpec& table,
                          const Variant& variant);

struct StoredStudy {
  StudySpec spec;  // tables without any run are left out
  StudyMeasures measures;
};
absl::StatusOr<StoredStudy> ReadStudyDirectory(const std::string& directory);

}  // namespace mallogram::study
