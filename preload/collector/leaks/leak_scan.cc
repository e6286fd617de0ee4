#include "preload/collector/leaks/leak_scan.h"

#include <algorithm>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "preload/collector/leaks/ways.h"

namespace mallogram::leaks {

LeakScan::LeakScan(const ScanInput* input)
    : input_(input),
      index_(input->live, input->model, input->inherited),
      windows_(input->memory),
      idioms_(&index_, &windows_, input->facts),
      marker_(&index_, input->memory, &windows_, &idioms_, input->queue,
              input->lone_reads),
      lost_(&index_, input->memory, &windows_, &marker_) {}

void LeakScan::Run() {
  marker_.MarkFromRoots(input_->ranges, input_->words);
  marker_.MarkIgnored(input_->ignored);
  marker_.MarkPossible();
  lost_.Find();
}

LeakClass LeakScan::ClassOf(uint32_t slot) const {
  switch (marker_.MarkOf(slot)) {
    case Mark::kReachable:
      return LeakClass::kReachable;
    case Mark::kPossible:
      return LeakClass::kPossible;
    case Mark::kIgnored:
      return LeakClass::kIgnored;
    case Mark::kNone:
      break;
  }
  return lost_.IsHead(slot) ? LeakClass::kDefinite : LeakClass::kIndirect;
}

void LeakScan::Fill(LeakCheck* check) {
  struct Entry {
    LeakGroup group;
    uint32_t youngest = 0;
  };
  std::deque<Entry> entries;  // references stay good
  absl::flat_hash_map<std::pair<uint64_t, uint32_t>, Entry*> found;
  const auto entry_of = [&](LeakClass kind, uint32_t stack, uint32_t head) {
    Entry*& entry =
        found[{uint64_t{stack} << 8 | static_cast<uint64_t>(kind), head}];
    if (entry == nullptr) {
      entry = &entries.emplace_back();
      entry->group.kind = kind;
      entry->group.stack = stack;
      entry->group.head_stack = head;
      entry->group.oldest_ns = UINT64_MAX;
    }
    return entry;
  };
  // Most blocks are of the stack and class of the one before.
  Entry* last = nullptr;
  input_->model->ForEachLive([&](uint32_t slot, uint32_t stack, uint64_t size,
                                 uint64_t time_ns, uint32_t thread) {
    const LeakClass kind = ClassOf(slot);
    uint32_t head_stack = 0;
    if (kind == LeakClass::kIndirect) {
      const uint32_t head = lost_.HeadOf(slot);
      if (head != kNoNode) {
        head_stack = index_.StackOf(head);
        Entry* const leader = entry_of(LeakClass::kDefinite, head_stack, 0);
        ++leader->group.indirect_blocks;
        leader->group.indirect_bytes += size;
      }
    }
    if (last == nullptr || last->group.kind != kind || last->group.stack != stack ||
        last->group.head_stack != head_stack) {
      last = entry_of(kind, stack, head_stack);
    }
    LeakGroup& group = last->group;
    if (group.blocks == 0 || time_ns >= group.youngest_ns) {
      group.youngest_ns = time_ns;
      group.thread = thread;
      last->youngest = slot;
    }
    group.oldest_ns = std::min(group.oldest_ns, time_ns);
    ++group.blocks;
    group.bytes += size;
    ++check->blocks;
    check->bytes += size;
  });

  std::vector<LeakGroup*> held;
  std::vector<uint32_t> nodes;
  for (Entry& entry : entries) {
    const LeakClass kind = entry.group.kind;
    if (kind != LeakClass::kReachable && kind != LeakClass::kPossible) continue;
    held.push_back(&entry.group);
    nodes.push_back(entry.youngest);
  }
  Ways(&index_, input_->memory, &idioms_, &marker_)
      .Describe(input_->ranges, input_->words, held, nodes);

  for (Entry& entry : entries) check->groups.push_back(std::move(entry.group));
  std::sort(check->groups.begin(), check->groups.end(),
            [](const LeakGroup& a, const LeakGroup& b) {
              if (a.bytes != b.bytes) return a.bytes > b.bytes;
              if (a.kind != b.kind) return a.kind < b.kind;
              if (a.stack != b.stack) return a.stack < b.stack;
              return a.head_stack < b.head_stack;
            });
  check->classified = true;
  check->scanned_bytes = marker_.scanned_bytes() + lost_.scanned_bytes();
  check->root_bytes = marker_.root_bytes();
}

}  // namespace mallogram::leaks
