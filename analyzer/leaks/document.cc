#include "analyzer/leaks/document.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

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

absl::string_view MismatchName(MismatchType type) {
  constexpr absl::string_view kNames[kMismatchTypes] = {
      "wrong_function", "wrong_size",       "wrong_alignment",
      "double_free",    "interior_pointer", "foreign_pointer"};
  const auto index = static_cast<size_t>(type);
  return index < kMismatchTypes ? kNames[index] : "";
}

absl::string_view AllocatedBy(BlockKind kind) {
  constexpr absl::string_view kNames[kBlockKinds] = {"", "malloc", "new", "new[]",
                                                     "realloc"};
  const auto index = static_cast<size_t>(kind);
  return index < kBlockKinds ? kNames[index] : "";
}

absl::string_view FreedBy(BlockKind kind) {
  constexpr absl::string_view kNames[kBlockKinds] = {"", "free", "delete",
                                                     "delete[]", "realloc"};
  const auto index = static_cast<size_t>(kind);
  return index < kBlockKinds ? kNames[index] : "";
}

std::string MismatchText(const Mismatch& mismatch) {
  const absl::string_view freed = FreedBy(mismatch.freed_by);
  const std::string by = freed.empty() ? "" : absl::StrCat(" by ", freed);
  const auto alignment = [](uint64_t value) {
    return value == 0 ? std::string("the usual alignment")
                      : absl::StrCat("an alignment of ", value);
  };
  switch (mismatch.type) {
    case MismatchType::kKind:
      return absl::StrCat("allocated by ", AllocatedBy(mismatch.allocated_by),
                          ", freed by ", freed);
    case MismatchType::kSize:
      return absl::StrCat("a block of ", mismatch.size, " bytes was freed", by,
                          " as one of ", mismatch.freed_size);
    case MismatchType::kAlignment:
      return absl::StrCat("allocated with ", alignment(mismatch.alignment),
                          ", freed", by, " with ",
                          alignment(mismatch.freed_alignment));
    case MismatchType::kDouble:
      return absl::StrCat("freed again", by);
    case MismatchType::kInterior:
      return absl::StrCat("freed", by, ": an address ", mismatch.offset,
                          " bytes within a block");
    case MismatchType::kForeign:
      return absl::StrCat("freed", by, ": an address that is no block");
  }
  return "";
}

namespace {

// What is lost comes first; what hangs on it, and what is not lost, after.
constexpr int RankOf(LeakKind kind) {
  switch (kind) {
    case LeakKind::kIndirect:
      return 1;
    case LeakKind::kReachable:
      return 2;
    case LeakKind::kIgnored:
      return 3;
    default:
      return 0;
  }
}

}  // namespace

void SortRecords(LeakDocument* document) {
  std::stable_sort(document->records.begin(), document->records.end(),
                   [](const LeakRecord& a, const LeakRecord& b) {
                     return std::tuple(RankOf(a.kind), b.lost_bytes(), b.blocks,
                                       a.kind, a.node) <
                            std::tuple(RankOf(b.kind), a.lost_bytes(), a.blocks,
                                       b.kind, b.node);
                   });
}

void SumUp(LeakDocument* document) {
  for (LeakProcess& process : document->processes) {
    process.sums = {};
    process.suppressed = {};
  }
  for (SuppressionUse& use : document->suppressions) use.amount = {};
  for (const MismatchView& mismatch : document->mismatches) {
    if (mismatch.suppression != kNoSuppression)
      ++document->suppressions[mismatch.suppression].amount.records;
  }
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
