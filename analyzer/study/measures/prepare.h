// Inputs that a table's `prepare` command makes, one file a size.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

// The file for a size; {n} for all.
std::string InputFileOf(const std::string& directory, const TableSpec& table,
                        const std::string& size);

// Makes those that are not there, in the study file's directory. A command that
// fails is an error with the last line that it wrote.
absl::Status PrepareInputs(const StudySpec& spec, const TableSpec& table,
                           const std::string& directory);

// Directory of the study file, absolute.
std::string StudyFileDirectory(const StudySpec& spec);

}  // namespace mallogram::study
