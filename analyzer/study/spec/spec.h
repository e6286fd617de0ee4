// Study files: TOML -> StudySpec, checked as far as it can be without running
// anything.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

// `file` names the study and stands in errors: "FILE:LINE: what is wrong".
absl::StatusOr<StudySpec> ParseStudy(absl::string_view text,
                                     absl::string_view file);
absl::StatusOr<StudySpec> ReadStudy(const std::string& file);

// The file's name without suffix; of a file study.toml, its directory's (without
// -study).
std::string StudyName(absl::string_view file);

}  // namespace mallogram::study
