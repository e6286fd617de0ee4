// What was measured in each run: of the program, at its phases, of groups of call
// sites, and what the program says of itself. Kept as one JSON file a run, so that
// a study can be analysed and compared again without its recordings.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/scaling/runs.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

struct PhaseMeasure {
  std::string name;
  double seconds = 0;  // since the recording's start
  uint64_t bytes = 0;  // of the heap
  // What it may have been, as the time of a phase is not known to the event.
  uint64_t low = 0, high = 0;
};

struct GroupMeasure {
  std::array<uint64_t, kSiteMetrics> values{};  // by Metric
  std::vector<uint64_t> phases;                 // bytes, as RunMeasures::phases
};

struct RunMeasures {
  std::string size;  // as written
  double n = 0;
  uint32_t rep = 1;
  std::string directory;
  std::array<uint64_t, kProgramMetrics> program{};  // by Metric
  std::vector<PhaseMeasure> phases;                 // in the order reached
  std::vector<GroupMeasure> groups;                 // as StudySpec::groups
  std::map<std::string, double> truth;              // by quantity: "bytes.payload"
  double seconds = 0;                               // wall time under the recorder
};

struct VariantMeasures {
  std::vector<std::string> command;  // with {n}
  std::string directory;
  std::vector<RunMeasures> runs;
  Runs sites;  // its runs are as in `runs`
  std::map<std::string, std::string> machine;
};

// By table and variant, as in the spec.
using StudyMeasures = std::vector<std::vector<VariantMeasures>>;

// The value of a quantity in a run. Errors name what the run does not have, and
// what it has instead.
absl::StatusOr<double> Evaluate(const Quantity& quantity, const StudySpec& spec,
                                const RunMeasures& run);

// Every number in the last JSON object that a program prints.
std::map<std::string, double> ReadTruth(absl::string_view standard_output);

// One run as JSON, with its call sites.
std::string RenderMeasures(const StudySpec& spec, const VariantMeasures& variant,
                           size_t run);

// Those of all runs of a variant, read back one by one.
class MeasuresReader {
 public:
  // The groups of the spec must be those that were measured. REQUIRES: spec
  // outlives this.
  explicit MeasuresReader(const StudySpec& spec) : spec_(spec) {}

  absl::Status Add(absl::string_view json, absl::string_view directory);
  VariantMeasures Take() { return std::move(variant_); }

 private:
  const StudySpec& spec_;
  VariantMeasures variant_;
  absl::flat_hash_map<std::string, uint32_t> site_by_id_;
};

}  // namespace mallogram::study
