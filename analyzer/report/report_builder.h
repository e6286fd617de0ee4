// Traces to a Report: names every address once, merges the call stacks of all
// traces, adds up.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "analyzer/recording/trace.h"
#include "analyzer/report/report.h"
#include "analyzer/stacks/call_nodes.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

class ReportBuilder {
 public:
  // Call stacks are merged if they are equal address by address (module path,
  // build-id and offset), or, with `by_name`, if they read the same.
  ReportBuilder(Symbolizer* symbolizer, bool by_name);

  void Add(const Trace& trace,
           absl::FunctionRef<void(uint64_t done, uint64_t total)> progress);
  // Once, after the last Add.
  Report Finish();

 private:
  void AddTotals(const Trace& trace);
  void MergeTimelines();

  Symbolizer* const symbolizer_;
  Report report_;
  CallNodes call_nodes_;
  std::vector<std::vector<Sample>> timelines_;  // a process each
  std::vector<uint32_t> site_of_node_;          // index + 1
};

}  // namespace mallogram
