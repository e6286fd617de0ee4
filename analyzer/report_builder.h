// Traces to a Report: names every address once, merges the call stacks of all
// traces, adds up.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "analyzer/report.h"
#include "analyzer/symbolizer.h"
#include "analyzer/trace.h"
#include "preload/trace/mapped_array.h"

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
  uint32_t ModuleIndex(const Module& module);
  uint32_t LocationIndex(const Trace& trace, const Stack& stack);
  uint32_t NodeOf(const Trace& trace, uint32_t stack_id);
  void AddTotals(const Trace& trace);
  void MergeTimelines();

  Symbolizer* const symbolizer_;
  const bool by_name_;
  Report report_;
  std::vector<std::vector<Sample>> timelines_;  // a process each
  absl::flat_hash_map<std::pair<std::string, std::string>, uint32_t> module_index_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, uint32_t> location_index_;
  absl::flat_hash_map<std::string, uint32_t> location_by_name_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> node_index_;
  // Of the trace at hand: a node or module index + 1, 0 for none yet.
  SparseArray<uint32_t> node_of_stack_;
  absl::flat_hash_map<uint32_t, uint32_t> index_of_module_id_;
  std::vector<uint32_t> site_of_node_;               // index + 1
  std::vector<std::pair<uint32_t, Stack>> pending_;  // NodeOf's
};

}  // namespace mallogram
