// Runs a study: a sweep for every table and variant, and their measures. What is
// there already is not done again, so that a study that was stopped goes on where
// it was.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "analyzer/study/measures/measures.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

struct StudySettings {
  std::string directory;    // made if it is not there
  std::string program_dir;  // where programs are looked for first; empty: none
  uint32_t jobs = 1;
  bool fresh = false;  // throws away what earlier runs left
  bool quiet = false;  // no line a sweep on standard error
};

// The study's program as a path: NAME/… relative to the study file; a plain name in
// `program_dir`, beside the study file, beside this command's build tree
// (../workloads/*/NAME), and in PATH. The error names the places.
absl::StatusOr<std::string> FindStudyProgram(const StudySpec& spec,
                                             const std::string& program_dir);

// Errors: as of RunSweep (sweep.h), and of recordings that cannot be read.
absl::StatusOr<StudyMeasures> RunStudy(const StudySpec& spec,
                                       const StudySettings& settings);

}  // namespace mallogram::study
