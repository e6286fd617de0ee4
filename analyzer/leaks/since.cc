#include "analyzer/leaks/since.h"

#include <utility>

#include "absl/container/flat_hash_map.h"

namespace mallogram {

void Compare(std::vector<LeakRecord> before, std::vector<LeakRecord>* after) {
  absl::flat_hash_map<std::pair<LeakKind, uint32_t>, LeakRecord*> earlier;
  for (LeakRecord& record : before) earlier[{record.kind, record.node}] = &record;
  for (LeakRecord& record : *after) {
    const auto found = earlier.find(std::pair(record.kind, record.node));
    if (found == earlier.end()) {
      record.change = Change::kNew;
      continue;
    }
    const LeakRecord& old = *found->second;
    record.before_blocks = old.blocks;
    record.before_bytes = old.bytes;
    record.change =
        record.bytes > old.bytes || record.blocks > old.blocks   ? Change::kGrown
        : record.bytes < old.bytes || record.blocks < old.blocks ? Change::kShrunk
                                                                 : Change::kSame;
    earlier.erase(found);
  }
  for (LeakRecord& record : before) {
    if (!earlier.contains(std::pair(record.kind, record.node))) continue;
    record.change = Change::kGone;
    record.before_blocks = std::exchange(record.blocks, 0);
    record.before_bytes = std::exchange(record.bytes, 0);
    record.indirect_blocks = record.indirect_bytes = 0;
    after->push_back(std::move(record));
  }
}

}  // namespace mallogram
