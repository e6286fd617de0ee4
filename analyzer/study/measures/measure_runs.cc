#include "analyzer/study/measures/measure_runs.h"

#include <re2/re2.h>

#include <algorithm>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/files.h"
#include "analyzer/recording/phase_marks.h"
#include "analyzer/recording/recording.h"
#include "analyzer/scaling/runs_builder.h"
#include "analyzer/stacks/site_book.h"

namespace mallogram::study {
namespace {

std::string MeasuresFile(const SweepRun& run) {
  return absl::StrCat(run.directory, "/", kMeasuresFile);
}

// Which groups a call site belongs to. A function is matched once.
class GroupMatcher {
 public:
  explicit GroupMatcher(const std::vector<Group>& groups) {
    for (const Group& group : groups) {
      patterns_.push_back(std::make_unique<RE2>(group.match, RE2::Quiet));
    }
  }
  size_t size() const { return patterns_.size(); }

  // One for every group.
  std::vector<bool> GroupsOf(const CallSite& site) {
    std::vector<bool> groups(patterns_.size());
    for (const StackFrame& frame : site.stack) {
      const std::vector<bool>& of_function = GroupsOfFunction(frame.function);
      for (size_t i = 0; i < groups.size(); ++i) {
        if (of_function[i]) groups[i] = true;
      }
    }
    return groups;
  }

 private:
  const std::vector<bool>& GroupsOfFunction(const std::string& function) {
    std::vector<bool>& groups = by_function_[function];
    if (groups.size() == patterns_.size()) return groups;
    groups.resize(patterns_.size());
    for (size_t i = 0; i < groups.size(); ++i) {
      groups[i] = RE2::PartialMatch(function, *patterns_[i]);
    }
    return groups;
  }

  std::vector<std::unique_ptr<RE2>> patterns_;
  absl::flat_hash_map<std::string, std::vector<bool>> by_function_;
};

class Measurer {
 public:
  explicit Measurer(const StudySpec& spec)
      : matcher_(spec.groups),
        book_(SameLocation::kByText),
        builder_(&book_, SiteIdentity::kStack),
        phase_sites_(&book_, SiteIdentity::kStack) {}

  absl::Status Add(const SweepRun& run) {
    RunMeasures measures;
    measures.size = run.size;
    measures.n = run.n;
    measures.rep = run.rep;
    measures.directory = run.directory;
    measures.seconds = run.seconds;
    measures.groups.resize(matcher_.size());
    absl::StatusOr<std::string> out =
        ReadTextFile(absl::StrCat(run.directory, "/", kStdoutFile));
    if (!out.ok()) return out.status();
    measures.truth = ReadTruth(*out);
    const absl::StatusOr<std::string> error =
        ReadTextFile(absl::StrCat(run.directory, "/", kStderrFile));
    if (!error.ok()) return error.status();
    const auto ignore = [](uint64_t, uint64_t) {};
    const absl::Status status =
        builder_.Add({run.n, run.rep, run.directory, run.files}, ignore,
                     [&](Recording& recording) {
                       // Phases are the program's own: its children have theirs, or
                       // none.
                       if (recording.path() != run.files.front())
                         return absl::OkStatus();
                       return AddPhases(recording, *error, &measures);
                     });
    if (!status.ok()) return status;
    variant_.runs.push_back(std::move(measures));
    return absl::OkStatus();
  }

  VariantMeasures Finish() {
    variant_.sites = builder_.Finish();
    std::vector<std::vector<bool>> groups;
    for (const CallSite& site : variant_.sites.sites) {
      groups.push_back(matcher_.GroupsOf(site));
    }
    for (size_t r = 0; r < variant_.runs.size(); ++r) {
      const Run& run = variant_.sites.runs[r];
      variant_.runs[r].program = run.values;
      for (const SiteValues& site : run.sites) {
        for (size_t g = 0; g < matcher_.size(); ++g) {
          if (!groups[site.site][g]) continue;
          for (size_t m = 0; m < kSiteMetrics; ++m) {
            variant_.runs[r].groups[g].values[m] += site.values[m];
          }
        }
      }
    }
    return std::move(variant_);
  }

 private:
  // REQUIRES: the book has the recording's trace at hand.
  absl::Status AddPhases(Recording& recording, const std::string& stderr_text,
                         RunMeasures* measures) {
    const absl::StatusOr<std::vector<PhaseHeap>> phases =
        HeapAtPhases(recording, stderr_text, [](uint64_t, uint64_t) {});
    if (!phases.ok()) return phases.status();
    for (const PhaseHeap& phase : *phases) {
      // A phase that is reached again is where it was last.
      const auto earlier = std::find_if(
          measures->phases.begin(), measures->phases.end(),
          [&phase](const PhaseMeasure& other) { return other.name == phase.name; });
      const size_t index = static_cast<size_t>(earlier - measures->phases.begin());
      if (earlier == measures->phases.end()) {
        measures->phases.emplace_back();
        for (GroupMeasure& group : measures->groups) group.phases.push_back(0);
      }
      measures->phases[index] = {
          phase.name, static_cast<double>(phase.heap.time_ns) / 1e9,
          phase.heap.bytes, phase.heap.low_bytes, phase.heap.high_bytes};
      for (GroupMeasure& group : measures->groups) group.phases[index] = 0;
      AddGroups(phase.heap, index, measures);
    }
    return absl::OkStatus();
  }

  void AddGroups(const LiveHeap& heap, size_t phase, RunMeasures* measures) {
    if (matcher_.size() == 0) return;
    for (const LiveSite& live : heap.sites) {
      const uint32_t site = phase_sites_.SiteOf(live.stack);
      while (groups_.size() <= site) {
        groups_.push_back(matcher_.GroupsOf(phase_sites_.sites()[groups_.size()]));
      }
      for (size_t g = 0; g < matcher_.size(); ++g) {
        if (groups_[site][g]) measures->groups[g].phases[phase] += live.bytes;
      }
    }
  }

  GroupMatcher matcher_;
  StackBook book_;
  RunsBuilder builder_;
  SiteBook phase_sites_;
  std::vector<std::vector<bool>> groups_;  // of its sites
  VariantMeasures variant_;
};

// Measures of earlier; an error: there are none, or none that will do.
absl::StatusOr<VariantMeasures> ReadBack(const StudySpec& spec,
                                         const std::vector<SweepRun>& runs) {
  MeasuresReader reader(spec);
  for (const SweepRun& run : runs) {
    absl::StatusOr<std::string> text = ReadTextFile(MeasuresFile(run));
    if (!text.ok()) return text.status();
    const absl::Status status = reader.Add(*text, run.directory);
    if (!status.ok()) return status;
  }
  return reader.Take();
}

}  // namespace

absl::StatusOr<VariantMeasures> MeasureRuns(const StudySpec& spec,
                                            const std::vector<SweepRun>& runs,
                                            ProgressFn progress) {
  const bool fresh_runs = std::any_of(
      runs.begin(), runs.end(), [](const SweepRun& run) { return !run.resumed; });
  if (!fresh_runs) {
    absl::StatusOr<VariantMeasures> known = ReadBack(spec, runs);
    if (known.ok()) return known;
  }
  Measurer measurer(spec);
  for (size_t i = 0; i < runs.size(); ++i) {
    progress(i, runs.size());
    const absl::Status status = measurer.Add(runs[i]);
    if (!status.ok()) return status;
  }
  VariantMeasures variant = measurer.Finish();
  for (size_t i = 0; i < runs.size(); ++i) {
    const absl::Status status =
        WriteAtomically(MeasuresFile(runs[i]), RenderMeasures(spec, variant, i));
    if (!status.ok()) return status;
  }
  return variant;
}

}  // namespace mallogram::study
