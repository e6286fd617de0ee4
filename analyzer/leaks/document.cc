#include "analyzer/leaks/document.h"

namespace mallogram {

absl::string_view KindName(LeakKind kind) {
  constexpr absl::string_view kNames[kLeakKinds] = {
      "definite", "indirect",     "possible", "reachable",
      "growth",   "unclassified", "ignored"};
  return kNames[static_cast<size_t>(kind)];
}

absl::string_view ChangeName(Change change) {
  constexpr absl::string_view kNames[] = {"",      "same",   "new",
                                          "grown", "shrunk", "gone"};
  return kNames[static_cast<size_t>(change)];
}

void SumUp(LeakDocument* document) {
  for (LeakProcess& process : document->processes) {
    process.sums = {};
    process.suppressed = {};
  }
  for (SuppressionUse& use : document->suppressions) use.amount = {};
  for (const LeakRecord& record : document->records) {
    if (record.change == Change::kGone) continue;
    LeakProcess& process = document->processes[record.process];
    if (record.suppressed()) {
      process.suppressed.Add(record);
      document->suppressions[record.suppression].amount.Add(record);
    } else {
      process.sums[static_cast<size_t>(record.kind)].Add(record);
    }
  }
}

std::array<Amount, kLeakKinds> TotalsOf(const LeakDocument& document) {
  std::array<Amount, kLeakKinds> totals = {};
  for (const LeakProcess& process : document.processes) {
    for (size_t i = 0; i < kLeakKinds; ++i) {
      totals[i].blocks += process.sums[i].blocks;
      totals[i].bytes += process.sums[i].bytes;
      totals[i].records += process.sums[i].records;
    }
  }
  return totals;
}

}  // namespace mallogram
