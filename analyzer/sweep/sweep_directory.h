// The directory of a sweep, taken for this process alone.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "analyzer/sweep/manifest.h"
#include "analyzer/sweep/plan.h"
#include "analyzer/sweep/sweep.h"

namespace mallogram {

class SweepDirectory {
 public:
  SweepDirectory() = default;
  ~SweepDirectory();
  SweepDirectory(const SweepDirectory&) = delete;
  SweepDirectory& operator=(const SweepDirectory&) = delete;

  // Makes the directory or takes it over, and writes the manifest. Errors: it
  // cannot be written, belongs to another sweep or to something else, or another
  // process is at it. `fresh`: an earlier sweep's runs are removed.
  absl::Status Open(const SweepPlan& plan, bool fresh);

  const std::vector<SweepRun>& done() const { return done_; }  // by size, replicate
  bool IsDone(const RunKey& key) const;

  // An empty directory for the run.
  absl::Status Prepare(const RunKey& key);
  // Makes the run a done one. `inputs`: NamedFiles before it began.
  absl::Status Finish(const SweepRun& run, const std::vector<InputFile>& inputs);
  void Remove(const RunKey& key);  // a run that is worth nothing

  absl::Status WriteManifest() const;  // with the runs that are done

 private:
  absl::Status Lock();
  absl::Status RefuseForeign() const;
  absl::Status TakeOver(bool fresh);
  absl::Status CheckInputs(const StoredRun& stored) const;

  SweepPlan plan_;
  Sweep earlier_;  // of the manifest that was there
  std::string started_;
  std::vector<SweepRun> done_;
  int lock_ = -1;
};

}  // namespace mallogram
