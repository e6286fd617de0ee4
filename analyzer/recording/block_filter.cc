#include "analyzer/recording/block_filter.h"

#include <re2/re2.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/recording/named_moment.h"
#include "preload/trace/heap_model.h"

namespace mallogram {
namespace {

// "main", a tid, or a regular expression for the name.
absl::StatusOr<std::vector<bool>> FindThreads(const std::string& word,
                                              absl::Span<const Thread> threads,
                                              absl::string_view path) {
  std::vector<bool> found;
  const RE2 name(word, RE2::Quiet);
  if (!name.ok()) {
    return UsageError(absl::StrCat("--thread: ", word, ": ", name.error()));
  }
  int64_t tid = 0;
  const bool is_tid = absl::SimpleAtoi(word, &tid);
  bool any = false;
  for (const Thread& thread : threads) {
    const bool fits = word == "main" ? thread.index == 0
                      : is_tid       ? thread.tid == tid
                                     : RE2::PartialMatch(thread.name, name);
    if (!fits) continue;
    any = true;
    if (found.size() <= thread.index) found.resize(thread.index + 1);
    found[thread.index] = true;
  }
  if (any) return found;
  return UsageError(absl::StrCat("--thread: ", path, " has no thread \"", word,
                                 "\"; mallogram info lists them"));
}

// Of every allocation, whether its block lived as long as `bounds` say.
absl::StatusOr<std::vector<bool>> FindLifetimes(Recording& recording,
                                                const Bounds& bounds,
                                                ProgressFn progress) {
  struct Block {
    uint64_t number = 0, time_ns = 0;  // number + 1; 0: not alive
  };
  std::vector<bool> fits;
  GrowingArray<Block> blocks;
  SlotNames names;
  uint64_t last_ns = 0;
  const auto end = [&](const Block& block, uint64_t time_ns) {
    const uint64_t lived = time_ns - std::min(time_ns, block.time_ns);
    fits[block.number - 1] = bounds.Has(lived);
  };
  EventRange<NoHints> events = recording.Events(progress, NoHints());
  for (const Event& event : events) {
    last_ns = event.time_ns;
    if (event.kind == EventKind::kFree || event.kind == EventKind::kMove) {
      if (event.slot >= blocks.size() || blocks[event.slot].number == 0) break;
      end(blocks[event.slot], event.time_ns);
      blocks[event.slot].number = 0;
      names.Give(event.slot);
    }
    if (event.kind == EventKind::kAlloc || event.kind == EventKind::kMove) {
      if (names.full()) break;
      uint32_t slot = 0;
      if (names.Take(&slot)) blocks.PushBack();
      fits.push_back(false);
      blocks[slot] = {fits.size(), event.time_ns};
    }
  }
  if (events.status().code() == absl::StatusCode::kUnavailable)
    return events.status();
  for (uint64_t slot = 0; slot < blocks.size(); ++slot) {
    if (blocks[slot].number != 0) end(blocks[slot], last_ns);
  }
  return fits;
}

}  // namespace

bool BlockSelector::Selects(const Event& allocation) {
  const uint64_t number = allocations_++;
  if (!IsAfter(selection_.from, events_, allocation.time_ns)) return false;
  if (!selection_.bytes.Has(allocation.size)) return false;
  if (selection_.threads.has_value() &&
      (allocation.thread >= selection_.threads->size() ||
       !(*selection_.threads)[allocation.thread])) {
    return false;
  }
  return selection_.lifetime_ns.all() ||
         (number < selection_.lifetime_fits.size() &&
          selection_.lifetime_fits[number]);
}

// The block of that slot ends; `name`: its name among the selected.
void BlockSelector::Release(uint32_t slot, bool* selected, uint32_t* name) {
  *selected = slots_[slot] != kNotSelected;
  *name = slots_[slot] - 1;
  slots_[slot] = 0;
  names_.Give(slot);
  if (*selected) new_names_.Give(*name);
}

uint32_t BlockSelector::NameFor(bool selected) {
  uint32_t slot = 0, name = 0;
  if (names_.Take(&slot)) slots_.PushBack();
  if (selected) new_names_.Take(&name);
  slots_[slot] = selected ? name + 1 : kNotSelected;
  return name;
}

BlockSelector::Take BlockSelector::Rewrite(Event* event) {
  if (IsAfter(selection_.to, events_, event->time_ns)) return Take::kEnd;
  Take take = Take::kNothing;
  switch (event->kind) {
    case EventKind::kAlloc: {
      if (names_.count() >= kNotSelected - 1 || event->size > HeapModel::kMaxSize)
        return Take::kDamaged;
      const bool selected = Selects(*event);
      NameFor(selected);
      take = selected ? Take::kEvent : Take::kSkip;
      break;
    }
    case EventKind::kFree:
    case EventKind::kMove: {
      if (event->slot >= slots_.size() || slots_[event->slot] == 0 ||
          event->size > HeapModel::kMaxSize) {
        return Take::kDamaged;
      }
      bool was_selected = false;
      Release(event->slot, &was_selected, &event->slot);
      if (event->kind == EventKind::kFree) {
        take = was_selected ? Take::kEvent : Take::kNothing;
        break;
      }
      const bool selected = Selects(*event);
      NameFor(selected);
      if (!was_selected) {
        event->kind = EventKind::kAlloc;
        take = selected ? Take::kEvent : Take::kSkip;
      } else if (selected) {
        take = Take::kEvent;
      } else {
        event->kind = EventKind::kFree;
        take = Take::kEventThenSkip;
      }
      break;
    }
    case EventKind::kFreeUnknown:
    case EventKind::kLost:
      // Of blocks of which nothing is known but when.
      if (IsAfter(selection_.from, events_, event->time_ns) &&
          !selection_.threads.has_value() && selection_.bytes.all() &&
          selection_.lifetime_ns.all()) {
        take = Take::kEvent;
      }
      break;
  }
  ++events_;
  return take;
}

absl::StatusOr<BlockSelection> Select(Recording& recording,
                                      const BlockFilter& filter,
                                      absl::Span<const Thread> threads,
                                      ProgressFn progress) {
  BlockSelection selection;
  selection.bytes = filter.bytes;
  selection.lifetime_ns = filter.lifetime_ns;
  if (!filter.thread.empty()) {
    absl::StatusOr<std::vector<bool>> found =
        FindThreads(filter.thread, threads, recording.path());
    if (!found.ok()) return found.status();
    selection.threads = *std::move(found);
  }
  if (!filter.from.empty() || !filter.to.empty()) {
    const absl::StatusOr<Marks> marks = recording.ReadMarks();
    if (!marks.ok()) return marks.status();
    const std::vector<Phase> phases =
        FindPhases(*marks, ParsePhaseLines(filter.marks));
    for (const auto& [option, word, moment] :
         {std::tuple("--from", &filter.from, &selection.from),
          std::tuple("--to", &filter.to, &selection.to)}) {
      if (word->empty()) continue;
      const absl::StatusOr<NamedMoment> found =
          FindMoment(option, *word, phases, recording.path(), filter.marks_given);
      if (!found.ok()) return found.status();
      *moment = found->moment;
    }
  }
  if (!filter.lifetime_ns.all()) {
    absl::StatusOr<std::vector<bool>> found =
        FindLifetimes(recording, filter.lifetime_ns, progress);
    if (!found.ok()) return found.status();
    selection.lifetime_fits = *std::move(found);
  }
  return selection;
}

}  // namespace mallogram
