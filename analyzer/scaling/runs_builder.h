// Recordings to Runs. One trace is in memory at a time; an address is named once
// for all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "analyzer/recording/chunk_directory.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/trace.h"
#include "analyzer/scaling/runs.h"
#include "analyzer/stacks/filters.h"
#include "analyzer/stacks/site_book.h"

namespace mallogram {

// The recordings of one run: of every process, that of the program itself first.
struct RunFiles {
  double n = 0;  // > 0
  uint32_t rep = 1;
  std::string name;  // for people: the file, or the directory of several
  std::vector<std::string> files;
};

class RunsBuilder {
 public:
  // `book` names the call stacks; it must outlive the object.
  // `filters`: which blocks and call sites count; programs' totals are of the
  // blocks.
  RunsBuilder(StackBook* book, SiteIdentity identity,
              const Filters& filters = Filters());

  // Processes of a run are added up. An error names the file; what was added before
  // stays.
  absl::Status Add(const RunFiles& run, ProgressFn progress);
  // The same; `look` sees each recording once more while it is open and the book
  // has its trace at hand. An error of `look` counts as one of the file.
  using LookFn = absl::FunctionRef<absl::Status(Recording& recording)>;
  absl::Status Add(const RunFiles& run, ProgressFn progress, LookFn look);
  // From a trace that was read elsewhere, as a run of one process.
  void AddTrace(double n, uint32_t rep, const Trace& trace);
  // Once, after the last Add.
  Runs Finish();

 private:
  void Accumulate(const Trace& trace, Run* run);
  void FinishRun(Run run);
  void Warn(absl::string_view file, absl::string_view text);

  StackBook* const book_;
  SiteBook sites_;
  const Filters filters_;
  Runs runs_;
  // Of the run at hand, by site.
  absl::flat_hash_map<uint32_t, std::array<uint64_t, kSiteMetrics>> values_;
  std::string program_;  // of the first run
  // Sentences and where they were said first, and how often.
  struct Warning {
    std::string text, file;
    size_t count = 0;
  };
  std::vector<Warning> warnings_;
};

}  // namespace mallogram
