// Traces to a Report: names every address once, merges the call stacks of all
// traces, adds up.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "analyzer/recording/trace.h"
#include "analyzer/report/report.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

class ReportBuilder {
 public:
  // `book` names the call stacks; it must outlive the object.
  explicit ReportBuilder(StackBook* book);

  void Add(const Trace& trace,
           absl::FunctionRef<void(uint64_t done, uint64_t total)> progress);
  // Once, after the last Add.
  Report Finish();

 private:
  void AddTotals(const Trace& trace);
  bool Takes(const Trace& trace, const SiteTotals& site, uint32_t node);
  void MergeTimelines();

  StackBook* const book_;
  Report report_;
  std::vector<std::vector<Sample>> timelines_;  // a process each
  std::vector<uint32_t> site_of_node_;          // index + 1
  bool filtered_ = false;
  Filtered filter_;
};

}  // namespace mallogram
