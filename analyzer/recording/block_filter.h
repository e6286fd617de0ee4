// Which blocks a report is about: by the thread that allocated them, their size,
// how long they lived, and when they were allocated. The summary of a recording is
// over all blocks, so a filter of blocks folds the events again, in one pass
// (lifetimes: in two, because a block's is known only when it ends).
//
// The figures are those of a program that made only these blocks: the peak is where
// they together were largest. "Temporary" stays what it was.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "analyzer/recording/live_at.h"
#include "analyzer/recording/recording.h"
#include "preload/trace/event_codec.h"
#include "preload/trace/mapped_array.h"
#include "preload/trace/slots.h"

namespace mallogram {

// From `low` to `high`, both included.
struct Bounds {
  uint64_t low = 0, high = std::numeric_limits<uint64_t>::max();
  bool all() const {
    return low == 0 && high == std::numeric_limits<uint64_t>::max();
  }
  bool Has(uint64_t value) const { return value >= low && value <= high; }
};

// As the user asks.
struct BlockFilter {
  std::string thread;    // name (regular expression), tid or "main"; empty: all
  std::string from, to;  // moments (named_moment.h); empty: start, end
  std::string marks;     // what the program wrote of phases
  bool marks_given = false;
  Bounds bytes;        // requested
  Bounds lifetime_ns;  // of a block that is never freed: until the end

  bool active() const {
    return !thread.empty() || !from.empty() || !to.empty() || !bytes.all() ||
           !lifetime_ns.all();
  }
};

// The same for one recording.
struct BlockSelection {
  std::optional<std::vector<bool>> threads;  // by index; nothing: all
  Moment from{0, 0}, to{0, Moment::kByTime - 1};
  Bounds bytes, lifetime_ns;
  // With lifetime_ns: of every allocation, in order, whether it fits.
  std::vector<bool> lifetime_fits;
};

// Events to those of a recording of the selected blocks alone. In order, each once.
class BlockSelector {
 public:
  // `selection` must outlive the object.
  explicit BlockSelector(const BlockSelection& selection) : selection_(selection) {}

  enum class Take {
    kEvent,          // fold `event`, which was rewritten
    kEventThenSkip,  // the same, and then there is
    kSkip,           // an allocation that is not selected
    kNothing,
    kEnd,      // what follows is after the window
    kDamaged,  // the event contradicts those before
  };
  Take Rewrite(Event* event);

 private:
  static constexpr uint32_t kNotSelected = 0xffffffffu;

  bool Selects(const Event& allocation);
  void Release(uint32_t slot, bool* selected, uint32_t* name);
  uint32_t NameFor(bool selected);

  const BlockSelection& selection_;
  SlotNames names_;               // of the recording
  GrowingArray<uint32_t> slots_;  // by its slots: the new name + 1, 0: not alive
  SlotNames new_names_;           // of the selected blocks
  uint64_t events_ = 0, allocations_ = 0;
};

// Whether `time_ns`, after `events` events, is after the moment.
constexpr bool IsAfter(const Moment& moment, uint64_t events, uint64_t time_ns) {
  return moment.events != Moment::kByTime ? events >= moment.events
                                          : time_ns > moment.time_ns;
}

// Looks up what `filter` names. An error is one of usage, or of the medium.
absl::StatusOr<BlockSelection> Select(Recording& recording,
                                      const BlockFilter& filter,
                                      absl::Span<const Thread> threads,
                                      ProgressFn progress);

}  // namespace mallogram
