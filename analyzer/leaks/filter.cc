#include "analyzer/leaks/filter.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"

namespace mallogram {
namespace {

// What makes two records one: all but their figures, as the reader sees it.
std::string KeyOf(const StackBook& book, const LeakRecord& record) {
  std::string key =
      absl::StrCat(record.process, " ", static_cast<int>(record.kind), " ",
                   record.suppression, " ", static_cast<int>(record.change));
  for (uint32_t node = record.node; node >= kFirstStackId;
       node = book.node(node).parent) {
    for (const PlacedFrame& frame : book.Shown(node))
      absl::StrAppend(&key, " ", frame.frame);
  }
  return key;
}

// The larger one speaks for both: its reason, its growth.
void Merge(LeakRecord&& other, LeakRecord* record) {
  if (other.lost_bytes() > record->lost_bytes()) std::swap(other, *record);
  record->stacks.insert(record->stacks.end(), other.stacks.begin(),
                        other.stacks.end());
  record->blocks += other.blocks;
  record->bytes += other.bytes;
  record->indirect_blocks += other.indirect_blocks;
  record->indirect_bytes += other.indirect_bytes;
  record->before_blocks += other.before_blocks;
  record->before_bytes += other.before_bytes;
  record->oldest_age_ns = std::max(record->oldest_age_ns, other.oldest_age_ns);
  record->youngest_age_ns =
      std::min(record->youngest_age_ns, other.youngest_age_ns);
}

}  // namespace

void ApplyFilter(const StackBook& book, absl::string_view words,
                 LeakDocument* document) {
  if (!book.filter().active()) return;
  std::vector<LeakRecord> kept;
  absl::flat_hash_map<std::string, size_t> index;
  Amount left_out;
  for (LeakRecord& record : document->records) {
    if (!book.Selects(record.node)) {
      left_out.Add(record);
      continue;
    }
    const auto [entry, is_new] =
        index.try_emplace(KeyOf(book, record), kept.size());
    if (is_new) {
      kept.push_back(std::move(record));
    } else {
      Merge(std::move(record), &kept[entry->second]);
    }
  }
  document->records = std::move(kept);
  const size_t mismatches = document->mismatches.size();
  document->mismatches.erase(
      std::remove_if(document->mismatches.begin(), document->mismatches.end(),
                     [&book](const MismatchView& mismatch) {
                       return !book.Selects(mismatch.allocated) &&
                              !book.Selects(mismatch.freed);
                     }),
      document->mismatches.end());
  for (PoolView& pool : document->pools) {
    pool.sites.erase(std::remove_if(pool.sites.begin(), pool.sites.end(),
                                    [&book](const PoolSiteView& site) {
                                      return !book.Selects(site.node);
                                    }),
                     pool.sites.end());
  }
  const size_t dropped = mismatches - document->mismatches.size();
  document->warnings.push_back(absl::StrCat(
      "filtered by ", words, ": left out ", Plural(left_out.records, "record"),
      " with ", FormatBytes(left_out.bytes),
      dropped == 0
          ? ""
          : absl::StrCat(", and ", Plural(dropped, "free"), " that do not fit")));
  SortRecords(document);
  SumUp(document);
}

}  // namespace mallogram
