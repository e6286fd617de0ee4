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
// Times: the collector folds exact stamps, the reader interpolated ones, so
// lifetimes and peak_time_ns of the two differ by up to event_codec.h's precision;
// everything else is equal.
//
// Memory: 24 bytes a block, 4 a freed slot, 96 a site, 4 a stack id in use.
// Tables grow by pages, so nothing is ever copied or held twice.
//
// Single-threaded.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/trace/event_codec.h"
#include "preload/trace/paged.h"
#include "preload/trace/summary.h"

namespace mallogram {

class HeapModel {
 public:
  // Larger sizes are refused by Apply: no allocator returns such a block.
  static constexpr uint64_t kMaxSize = (uint64_t{1} << 62) - 1;

  HeapModel();

  // REQUIRES for `slot`: live (see IsLive); `stack` < kMaxStackIds; `thread` <
  // kMaxThreads; `size` <= kMaxSize.
  uint32_t Allocate(uint32_t thread, uint32_t stack, uint64_t size,
                    uint64_t time_ns);
  void Free(uint32_t thread, uint32_t slot, uint64_t time_ns);
  // realloc of a live block: Free, then Allocate, counted as reallocation.
  // Returns the new slot (the same as the old one, by the rule above).
  uint32_t Move(uint32_t thread, uint32_t slot, uint32_t stack, uint64_t size,
                uint64_t time_ns);
  void FreeUnknown(uint64_t time_ns);
  void Lose(uint32_t stack, uint64_t count, uint64_t bytes, uint64_t time_ns);

  // Any of the above, from a decoded event. False: the event names a slot that
  // is not live or ids beyond the bounds: damaged input, nothing was changed.
  bool Apply(const Event& event);

  bool IsLive(uint32_t slot) const {
    return slot < blocks_.size() && blocks_[slot].live != 0;
  }
  uint64_t live_bytes() const { return live_bytes_; }
  uint64_t live_blocks() const { return live_blocks_; }
  uint64_t peak_bytes() const { return totals_.peak_heap_bytes; }
  uint64_t peak_time_ns() const { return totals_.peak_time_ns; }
  uint64_t slot_count() const { return blocks_.size(); }
  uint64_t site_count() const { return sites_.size(); }
  // Highest live_bytes() since the last call; for samples.
  uint64_t TakeRecentMax();

  // Hints for a caller that knows what comes: starts loading what Free(slot)
  // and Allocate(stack) will touch.
  // Always inlined, because g++ takes a function that does nothing but prefetch for
  // one without effect, and drops the calls.
  [[gnu::always_inline]] void PrefetchSlot(uint32_t slot) const {
    if (slot < blocks_.size()) __builtin_prefetch(&blocks_[slot], 1);
  }

  // Sites, sizes, totals (without RSS, loss by ring and self report, which the
  // caller knows), duration = time of the last event. loss: what kLost events
  // said; truncated_stacks is left to the caller, who knows the stacks.
  Summary Summarize() const;

  // Blocks alive, for leak reports: calls f(slot, stack, size, time_ns, thread).
  template <typename F>
  void ForEachLive(F&& f) const {
    for (uint32_t slot = 0; slot < blocks_.size(); ++slot) {
      const Block& block = blocks_[slot];
      if (block.live) {
        f(slot, sites_[block.site].stack, uint64_t{block.size}, block.time_ns,
          block.thread);
      }
    }
  }

 private:
  struct Block {
    uint64_t size : 63;
    uint64_t live : 1;
    uint64_t time_ns;
    uint32_t site;
    uint32_t thread;
  };
  // SiteTotals without what can be derived (frees) or is rare (lost).
  struct Site {
    uint32_t stack;
    uint32_t live_blocks, peak_blocks;
    uint64_t calls, reallocations, bytes_allocated;
    uint64_t live_bytes, peak_bytes, own_peak_bytes;
    uint64_t temporary, lifetime_ns;
    uint64_t epoch;  // peak epoch that peak_bytes and peak_blocks belong to
  };
  struct LostAt {
    uint64_t count = 0, bytes = 0;
  };

  uint32_t SiteIndex(uint32_t stack);
  void Remember(Site& site);
  void Allocated(uint32_t thread, uint32_t stack, uint32_t slot, uint64_t size,
                 uint64_t time_ns);
  void Freed(uint32_t thread, uint32_t slot, uint64_t time_ns);
  SiteTotals TotalsOf(const Site& site) const;

  Paged<Block, 12> blocks_;                 // by slot
  Paged<uint32_t, 12> free_slots_;          // stack, last released on top
  uint64_t free_count_ = 0;                 // its height
  SparsePaged<uint32_t, 6> site_of_stack_;  // by stack id: index + 1, 0: none
  Paged<Site, 9> sites_;
  SparsePaged<uint32_t, 6> last_slot_;  // by thread: last allocation + 1, 0: none
  absl::flat_hash_map<uint32_t, LostAt> lost_;  // by stack
  std::vector<SizeClass> sizes_;
  Totals totals_;
  Loss loss_;
  uint64_t live_bytes_ = 0, live_blocks_ = 0, recent_max_ = 0, epoch_ = 0;
};

}  // namespace mallogram
