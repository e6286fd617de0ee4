#include "analyzer/sweep/sweep_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/sweep/sizes.h"

namespace mallogram {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kWayOut =
    "; --fresh throws them away, -o DIR keeps both";

// The run whose directory has this name; false: it is none of ours.
bool ParseRunName(absl::string_view name, const std::string& parameter,
                  RunKey* key) {
  if (!absl::ConsumePrefix(&name, absl::StrCat(parameter, "="))) return false;
  const size_t comma = name.find(",rep=");
  if (comma == absl::string_view::npos) return false;
  key->size = std::string(name.substr(0, comma));
  return absl::SimpleAtoi(name.substr(comma + 5), &key->rep) &&
         SizeValue(key->size) > 0;
}

// Runs that the directory has a directory for, also if the plan does not have them.
std::vector<RunKey> FindKeys(const SweepPlan& plan) {
  std::vector<RunKey> keys;
  std::error_code error;
  for (fs::directory_iterator entry(plan.directory, error), end;
       !error && entry != end; entry.increment(error)) {
    RunKey key;
    const std::string name = entry->path().filename();
    if (ParseRunName(name, plan.parameter, &key)) keys.push_back(key);
  }
  return keys;
}

absl::Status RemoveRuns(const SweepPlan& plan) {
  for (const RunKey& key : FindKeys(plan)) {
    const std::string directory = RunDirectory(plan, key);
    std::error_code error;
    fs::remove_all(directory, error);
    if (error) {
      return absl::UnknownError(
          absl::StrCat("cannot remove ", directory, ": ", error.message()));
    }
  }
  return absl::OkStatus();
}

std::vector<StoredRun> FindRuns(const SweepPlan& plan) {
  std::vector<StoredRun> found;
  for (const RunKey& key : FindKeys(plan)) {
    absl::StatusOr<StoredRun> run = ReadRun(plan, key);
    if (run.ok()) found.push_back(*std::move(run));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.run.n != b.run.n ? a.run.n < b.run.n : a.run.rep < b.run.rep;
  });
  return found;
}

// The plan with the sizes and replicates that are there.
SweepPlan DonePart(SweepPlan plan, const std::vector<StoredRun>& runs) {
  plan.sizes.clear();
  plan.reps = 1;
  for (const StoredRun& stored : runs) {
    if (plan.sizes.empty() || plan.sizes.back() != stored.run.size) {
      plan.sizes.push_back(stored.run.size);
    }
    plan.reps = std::max(plan.reps, stored.run.rep);
  }
  return plan;
}

std::string TimeText(int64_t ns) { return FormatTime(static_cast<uint64_t>(ns)); }

}  // namespace

SweepDirectory::~SweepDirectory() {
  if (lock_ >= 0) close(lock_);
}

absl::Status SweepDirectory::Lock() {
  lock_ = open(plan_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) return FileError("open", plan_.directory);
  // File systems without locks do without.
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return absl::UnavailableError(
        absl::StrCat("another sweep is running in ", plan_.directory,
                     "; wait for its end, or choose another directory by -o DIR"));
  }
  return absl::OkStatus();
}

// Without a manifest, a directory must be empty: it could be somebody's home.
absl::Status SweepDirectory::RefuseForeign() const {
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(plan_.directory, error)) {
    const std::string name = entry.path().filename();
    if (name == absl::StrCat(kManifestFile, ".new")) continue;
    return UsageError(absl::StrCat(plan_.directory, " holds no sweep but ", name,
                                   "; choose another directory by -o DIR"));
  }
  if (error) {
    return absl::UnknownError(
        absl::StrCat("cannot read ", plan_.directory, ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status SweepDirectory::CheckInputs(const StoredRun& stored) const {
  for (const InputFile& file : stored.inputs) {
    InputFile now;
    const bool exists = LookAt(file.path, &now);
    if (exists && now == file) continue;
    return UsageError(absl::StrCat(
        file.path,
        exists ? absl::StrCat(" was changed on ", TimeText(now.modified_ns))
               : " has been removed",
        ", after the runs in ", plan_.directory, " were made", kWayOut));
  }
  return absl::OkStatus();
}

absl::Status SweepDirectory::TakeOver(bool fresh) {
  absl::StatusOr<Sweep> earlier = ReadManifest(plan_.directory);
  if (absl::IsNotFound(earlier.status())) return RefuseForeign();
  if (!earlier.ok()) return earlier.status();
  if (fresh) return RemoveRuns(earlier->plan);
  const std::vector<StoredRun> runs = FindRuns(earlier->plan);
  if (runs.empty()) return absl::OkStatus();  // nothing that could be mixed up
  const std::string difference =
      PlanDifference(DonePart(earlier->plan, runs), AsStored(plan_));
  if (!difference.empty()) {
    return UsageError(absl::StrCat(plan_.directory, " ", difference, kWayOut));
  }
  for (const StoredRun& stored : runs) {
    const absl::Status status = CheckInputs(stored);
    if (!status.ok()) return status;
    if (stored.run.exit_status != 0 && !plan_.allow_failure) continue;
    done_.push_back(stored.run);
  }
  started_ = earlier->started;
  return absl::OkStatus();
}

absl::Status SweepDirectory::Open(const SweepPlan& plan, bool fresh) {
  plan_ = plan;
  std::error_code error;
  fs::create_directories(plan_.directory, error);
  if (error) {
    return absl::UnknownError(absl::StrCat("cannot make the directory ",
                                           plan_.directory, ": ", error.message()));
  }
  absl::Status status = Lock();
  if (status.ok()) status = TakeOver(fresh);
  if (!status.ok()) return status;
  if (started_.empty()) started_ = IsoTime();
  return WriteManifest();
}

bool SweepDirectory::IsDone(const RunKey& key) const {
  return std::any_of(done_.begin(), done_.end(), [&key](const SweepRun& run) {
    return run.size == key.size && run.rep == key.rep;
  });
}

absl::Status SweepDirectory::Prepare(const RunKey& key) {
  const std::string directory = RunDirectory(plan_, key);
  std::error_code error;
  fs::remove_all(directory, error);  // of a run that failed or was interrupted
  if (!error) fs::create_directory(directory, error);
  if (!error) return absl::OkStatus();
  return absl::UnknownError(
      absl::StrCat("cannot make the directory ", directory, ": ", error.message()));
}

absl::Status SweepDirectory::Finish(const SweepRun& run,
                                    const std::vector<InputFile>& inputs) {
  StoredRun stored{run, {}};
  for (const InputFile& file : inputs) {
    InputFile now;
    if (LookAt(file.path, &now) && now == file) stored.inputs.push_back(file);
  }
  const absl::Status status = WriteRun(plan_, stored);
  if (!status.ok()) return status;
  done_.push_back(run);
  std::sort(done_.begin(), done_.end(), [](const SweepRun& a, const SweepRun& b) {
    return a.n != b.n ? a.n < b.n : a.rep < b.rep;
  });
  return absl::OkStatus();
}

void SweepDirectory::Remove(const RunKey& key) {
  std::error_code ignored;
  fs::remove_all(RunDirectory(plan_, key), ignored);
}

absl::Status SweepDirectory::WriteManifest() const {
  return mallogram::WriteManifest({plan_, done_, started_, DescribeMachine()});
}

absl::StatusOr<Sweep> ReadSweep(absl::string_view directory) {
  absl::StatusOr<Sweep> sweep = ReadManifest(std::string(directory));
  if (!sweep.ok()) return sweep.status();
  for (const std::string& size : sweep->plan.sizes) {
    for (uint32_t rep = 1; rep <= sweep->plan.reps; ++rep) {
      absl::StatusOr<StoredRun> stored = ReadRun(sweep->plan, {size, rep});
      if (stored.ok()) sweep->runs.push_back(std::move(stored->run));
    }
  }
  return sweep;
}

}  // namespace mallogram
