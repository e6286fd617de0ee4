// The call stacks of one or several traces as one tree: every address is named
// once, what is equal is one node.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "analyzer/recording/trace.h"
#include "analyzer/report/report.h"
#include "analyzer/stacks/symbolizer.h"
#include "preload/trace/mapped_array.h"

namespace mallogram {

class CallNodes {
 public:
  // Fills modules, locations and nodes of `report`, which must outlive this. Call
  // stacks are equal address by address (module path, build-id and offset), or,
  // with `by_name`, if they read the same.
  CallNodes(Symbolizer* symbolizer, bool by_name, Report* report);
  CallNodes(const CallNodes&) = delete;
  CallNodes& operator=(const CallNodes&) = delete;

  // Stack ids are from now on those of another trace.
  void Begin();
  // The node of a stack's innermost frame, or the root that it is.
  uint32_t NodeOf(const Trace& trace, uint32_t stack_id);
  // In the report's modules.
  uint32_t ModuleIndex(const Module& module);

 private:
  uint32_t LocationIndex(const Trace& trace, const Stack& stack);

  Symbolizer* const symbolizer_;
  const bool by_name_;
  Report* const report_;
  absl::flat_hash_map<std::pair<std::string, std::string>, uint32_t> module_index_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, uint32_t> location_index_;
  absl::flat_hash_map<std::string, uint32_t> location_by_name_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> node_index_;
  // Of the trace at hand: a node or module index + 1, 0 for none yet.
  SparseArray<uint32_t> node_of_stack_;
  absl::flat_hash_map<uint32_t, uint32_t> index_of_module_id_;
  std::vector<std::pair<uint32_t, Stack>> pending_;  // NodeOf's
};

}  // namespace mallogram
