// Traces to a LeakDocument: the blocks of one check, named and grouped by kind and
// call stack as it reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "analyzer/leaks/document.h"
#include "analyzer/recording/selected_blocks.h"
#include "analyzer/recording/trace.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// What is known over time of what a call stack (an id of the
// trace) allocated. Empty function: nothing of any.
using GrowthOf =
    std::function<std::optional<GrowthLabel>(const Trace& trace, uint32_t stack)>;

struct LeakRequest {
  size_t check = 0;  // number; 0: the last
  size_t since = 0;  // number of an earlier one to compare with; 0: none
};

class LeakBuilder {
 public:
  // `book` names the call stacks; it must outlive the object.
  explicit LeakBuilder(StackBook* book);

  // `only`: the blocks that count; nullptr: all. Of a stack with blocks of several
  // kinds, each kind's are at most these.
  // OutOfRange: the trace has no such check; the message is complete.
  absl::Status Add(const Trace& trace, const LeakRequest& request,
                   const GrowthOf& growth, const BlocksByStack* only = nullptr);
  // Once, after the last Add.
  LeakDocument Finish();

 private:
  using Records = std::vector<LeakRecord>;

  RootView ViewOf(const Trace& trace, const LeakRoot& root);
  LeakReason ReasonOf(const Trace& trace, const LeakGroup& group);
  Records Classified(const Trace& trace, const LeakCheck& check,
                     const GrowthOf& growth, const BlocksByStack* only);
  Records Unclassified(const Trace& trace, const GrowthOf& growth);
  void AddRest(const Trace& trace);  // mismatches and pools

  StackBook* const book_;
  LeakDocument document_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, DataName> variables_;
};

}  // namespace mallogram
