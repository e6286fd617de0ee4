// The fold from events to Summary: which blocks live, what each call site
// holds, where the peak was. One pass, memory O(blocks alive + sites), used by
// the collector while it records and by the reader when a footer is missing.
//
// Slots. A block's name is its slot: Allocate() gives out the slot released
// last, else the next new one. Writer and reader make the same calls in the same
// order, so they agree on every name without storing any.
//
// Peak. Exact: the sum of live bytes is checked at every allocation. A site's
// share at the peak is remembered lazily, when the site first changes after the
// peak moved (its value cannot have changed in between), so an event costs O(1).
//
// "Temporary" is per thread: freed by the thread that allocated it, before that
// thread's next allocation.
//
// Single-threaded.
#pragma once

#include <cstdint>
#include <vector>

#include "preload/trace/event_codec.h"
#include "preload/trace/summary.h"

namespace mallogram {

class HeapModel {
 public:
  // REQUIRES for `slot`: live (see IsLive); `stack` < 2^28; `thread` < 2^24.
  uint32_t Allocate(uint32_t thread, uint32_t stack, uint64_t size,
                    uint64_t time_ns);
  void Free(uint32_t thread, uint32_t slot, uint64_t time_ns);
  // realloc of a live block: Free, then Allocate, counted as reallocation.
  // Returns the new slot (the same as the old one, by the rule above).
  uint32_t Move(uint32_t thread, uint32_t slot, uint32_t stack, uint64_t size,
                uint64_t time_ns);
  void FreeUnknown(uint64_t time_ns);
  void Lose(uint32_t stack, uint64_t count, uint64_t bytes);

  // Any of the above, from a decoded event. False: the event names a slot that
  // is not live or ids beyond the bounds: damaged input, nothing was changed.
  bool Apply(const Event& event);

  bool IsLive(uint32_t slot) const;
  uint64_t live_bytes() const;
  // Highest live_bytes() since the last call; for samples.
  uint64_t TakeRecentMax();

  // Sites, sizes, totals (without RSS, loss by ring and self report, which the
  // caller knows), duration = time of the last event.
  Summary Summarize() const;

  // Blocks alive, for leak reports: calls f(slot, stack, size, time_ns, thread).
  template <typename F>
  void ForEachLive(F&& f) const {
    for (uint32_t slot = 0; slot < blocks_.size(); ++slot) {
      const Block& block = blocks_[slot];
      if (block.live) f(slot, block.stack, block.size, block.time_ns, block.thread);
    }
  }

 private:
  struct Block {
    uint64_t size : 63;
    uint64_t live : 1;
    uint64_t time_ns;
    uint32_t stack;
    uint32_t thread;
  };
  struct Site {
    SiteTotals totals;
    uint64_t epoch = 0;  // peak epoch that peak_bytes belongs to
  };

  Site& SiteOf(uint32_t stack);
  void Remember(Site& site);
  void Allocated(uint32_t thread, uint32_t stack, uint32_t slot, uint64_t size,
                 uint64_t time_ns);

  std::vector<Block> blocks_;        // by slot
  std::vector<uint32_t> free_slots_;  // last released at the back
  std::vector<Site> sites_;          // by stack id (dense ids), calls == 0: none
  std::vector<uint32_t> last_slot_;  // by thread: its last allocation, or none
  std::vector<SizeClass> sizes_;
  Totals totals_;
  Loss loss_;
  uint64_t live_bytes_ = 0, live_blocks_ = 0, recent_max_ = 0, epoch_ = 0;
};

}  // namespace mallogram
