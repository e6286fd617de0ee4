// The fold from events to Summary: which blocks live, what each call site
// holds, where the peak was. One pass, memory O(blocks alive + sites), used by
// the collector while it records and by the reader when a footer is missing.
//
// Slots. A block's name is its slot (slots.h). Writer and reader make the same
// calls in the same order, so they agree on every name.
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
// everything else is equal. A block remembers its time to 2^-40 of the recording's
// length (a nanosecond in the first 18 minutes, a microsecond in 12 days): when 40
// bits are full, every block's are shifted by one.
//
// Memory: 16 bytes a block, 4 a freed slot, 96 a site, 4 a stack id in use.
// Tables grow in place, so nothing is ever copied or held twice. What can be had
// from the blocks alive or from other sums is left to Summarize().
//
// The freed slots are an array, not a chain through the freed blocks, which would
// save their 4 bytes: the next slot to be given out must be known before its block
// is in the cache, or each allocation in a heap freed at random waits for it.
//
// Single-threaded.
#pragma once

#include <array>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "preload/trace/event_codec.h"
#include "preload/trace/mapped_array.h"
#include "preload/trace/records.h"
#include "preload/trace/slots.h"
#include "preload/trace/summary.h"

namespace mallogram {

class HeapModel {
 public:
  // Larger sizes are refused by Apply: no allocator returns such a block.
  static constexpr uint64_t kMaxSize = (uint64_t{1} << 62) - 1;

  // REQUIRES for `slot`: live (see IsLive); `stack` < kMaxStackIds; `thread` <
  // kMaxThreads; `size` <= kMaxSize.
  uint32_t Allocate(uint32_t thread, uint32_t stack, uint64_t size,
                    uint64_t time_ns);
  // The same at SiteOf(stack), for callers that keep it.
  uint32_t AllocateAt(uint32_t thread, uint32_t site, uint64_t size,
                      uint64_t time_ns);
  uint32_t SiteOf(uint32_t stack);
  uint32_t StackOf(uint32_t site) const { return sites_[site].stack; }
  void Free(uint32_t thread, uint32_t slot, uint64_t time_ns);
  // realloc of a live block: Free, then Allocate, counted as reallocation.
  // Returns the new slot (the same as the old one, by the rule above).
  uint32_t Move(uint32_t thread, uint32_t slot, uint32_t stack, uint64_t size,
                uint64_t time_ns);
  // The thread allocated a block that is not followed: what it frees from now on
  // was not its last one.
  void Skip(uint32_t thread) { last_slot_[thread] = 0; }
  void FreeUnknown(uint64_t time_ns);
  void Lose(uint32_t stack, uint64_t count, uint64_t bytes, uint64_t time_ns);

  // Any of the above, from a decoded event. False: the event names a slot that
  // is not live or ids beyond the bounds: damaged input, nothing was changed.
  bool Apply(const Event& event);

  bool IsLive(uint32_t slot) const {
    return slot < blocks_.size() && blocks_[slot].what != 0;
  }
  uint64_t live_bytes() const { return live_bytes_; }
  uint64_t live_blocks() const { return names_.taken(); }
  uint64_t peak_bytes() const { return peak_bytes_; }
  uint64_t peak_time_ns() const { return peak_time_ns_; }
  uint64_t slot_count() const { return blocks_.size(); }
  // Highest live_bytes() since the last call; for samples.
  uint64_t TakeRecentMax();

  // For a caller that knows what comes: starts loading what Free(slot) will touch,
  // first PrefetchSlot, then, when that has come, PrefetchSite. Any slot will do.
  // Always inlined, because g++ takes a function that does nothing but prefetch for
  // one without effect, and drops the calls.
  [[gnu::always_inline]] void PrefetchSlot(uint32_t slot) const {
    if (slot < blocks_.size()) __builtin_prefetch(&blocks_[slot], 1);
  }
  [[gnu::always_inline]] void PrefetchSite(uint32_t slot) const {
    if (slot >= blocks_.size()) return;
    const uint64_t site = blocks_[slot].what >> kSizeBits;
    if (site != 0) __builtin_prefetch(&sites_[site - 1], 1);
  }

  // Sites, sizes, totals (without RSS, loss by ring and self report, which the
  // caller knows), duration = time of the last event. loss: what kLost events
  // said; truncated_stacks is left to the caller, who knows the stacks.
  Summary Summarize() const;

  // Of a block alive. REQUIRES: IsLive(slot).
  uint64_t SizeAt(uint32_t slot) const { return SizeOf(slot, blocks_[slot].what); }
  uint32_t StackAt(uint32_t slot) const {
    return sites_[(blocks_[slot].what >> kSizeBits) - 1].stack;
  }

  // Blocks alive, for leak reports: calls f(slot, stack, size, time_ns, thread).
  template <typename F>
  void ForEachLive(F&& f) const {
    for (uint32_t slot = 0; slot < blocks_.size(); ++slot) {
      const Block& block = blocks_[slot];
      if (block.what == 0) continue;
      f(slot, sites_[(block.what >> kSizeBits) - 1].stack, SizeOf(slot, block.what),
        (block.when & kTimeMask) << time_shift_,
        static_cast<uint32_t>(block.when >> kTimeBits));
    }
  }

 private:
  // What: size | site + 1; 0: not alive. When: time in units of 2^time_shift_ ns |
  // thread.
  struct Block {
    uint64_t what, when;
  };
  static constexpr int kSizeBits = 35;
  static constexpr uint64_t kSizeMask = (uint64_t{1} << kSizeBits) - 1;
  static constexpr uint64_t kBigSize = kSizeMask;  // the size is in big_sizes_
  static constexpr int kTimeBits = 40;
  static constexpr uint64_t kTimeMask = (uint64_t{1} << kTimeBits) - 1;
  static_assert(kMaxThreads <= 1u << (64 - kTimeBits));
  static_assert(kMaxStackIds < 1u << (64 - kSizeBits));

  // SiteTotals without what can be derived (frees) or is rare (lost).
  struct Site {
    uint32_t stack;
    uint32_t live_blocks;
    uint64_t calls, bytes_allocated;
    uint64_t live_bytes, own_peak_bytes, lifetime_ns;
    uint64_t epoch;  // peak epoch that peak_bytes and peak_blocks belong to
    uint64_t peak_bytes;
    uint32_t peak_blocks;
    uint64_t reallocations, temporary;
  };
  struct LostAt {
    uint64_t count = 0, bytes = 0;
  };

  // How far ahead of its turn a freed slot's block is fetched.
  static constexpr uint64_t kSlotsAhead = 8;

  void Remember(Site& site);
  void Allocated(uint32_t thread, uint32_t site_index, uint32_t slot, uint64_t size,
                 uint64_t time_ns);
  void Freed(uint32_t thread, uint32_t slot, uint64_t time_ns);
  uint32_t NewSite(uint32_t stack);
  uint64_t SizeOf(uint32_t slot, uint64_t what) const;
  void SetBigSize(uint32_t slot, uint64_t size);
  uint64_t BigSize(uint32_t slot) const;
  void ForgetBigSize(uint32_t slot);
  void CoarsenTimes(uint64_t time_ns);
  SiteTotals TotalsOf(const Site& site) const;

  GrowingArray<Block> blocks_;  // by slot
  SlotNames names_;
  SparseArray<uint32_t> site_of_stack_;  // by stack id: index + 1, 0: none
  GrowingArray<Site> sites_;
  SparseArray<uint32_t> last_slot_;  // by thread: last allocation + 1, 0: none
  absl::flat_hash_map<uint32_t, LostAt> lost_;         // by stack
  absl::flat_hash_map<uint32_t, uint64_t> big_sizes_;  // by slot
  std::array<SizeClass, kSizeBuckets> sizes_;  // without live blocks and bytes
  uint64_t live_bytes_ = 0, recent_max_ = 0, epoch_ = 0;
  int time_shift_ = 0;
  uint64_t time_limit_ns_ = uint64_t{1} << kTimeBits;
  uint64_t last_time_ns_ = 0;
  uint64_t peak_bytes_ = 0, peak_blocks_ = 0, peak_time_ns_ = 0;
  uint64_t reallocations_ = 0, unknown_frees_ = 0;
  Loss loss_;
};

// ---- hot path -------------------------------------------------------------

inline uint32_t HeapModel::SiteOf(uint32_t stack) {
  const uint32_t index = site_of_stack_.Get(stack);
  return index != 0 ? index - 1 : NewSite(stack);
}

// REQUIRES: called before every change of the site. What it holds now is what it
// held when the peak last moved, unless it has been remembered since.
inline void HeapModel::Remember(Site& site) {
  if (site.epoch == epoch_) return;
  site.epoch = epoch_;
  site.peak_bytes = site.live_bytes;
  site.peak_blocks = site.live_blocks;
}

[[gnu::always_inline]] inline void HeapModel::Allocated(uint32_t thread,
                                                        uint32_t site_index,
                                                        uint32_t slot,
                                                        uint64_t size,
                                                        uint64_t time_ns) {
  if (time_ns >= time_limit_ns_) [[unlikely]]
    CoarsenTimes(time_ns);
  uint64_t stored_size = size;
  if (size >= kBigSize) [[unlikely]] {
    SetBigSize(slot, size);
    stored_size = kBigSize;
  }
  blocks_[slot] = {stored_size | (uint64_t{site_index} + 1) << kSizeBits,
                   time_ns >> time_shift_ | uint64_t{thread} << kTimeBits};
  last_slot_[thread] = slot + 1;

  Site& site = sites_[site_index];
  Remember(site);
  ++site.calls;
  site.bytes_allocated += size;
  ++site.live_blocks;
  site.live_bytes += size;
  if (site.live_bytes > site.own_peak_bytes) site.own_peak_bytes = site.live_bytes;

  SizeClass& size_class = sizes_[SizeBucket(size)];
  ++size_class.calls;
  size_class.bytes += size;

  live_bytes_ += size;
  if (live_bytes_ > recent_max_) {
    recent_max_ = live_bytes_;
    if (live_bytes_ > peak_bytes_) {  // implies the above
      peak_bytes_ = live_bytes_;
      peak_blocks_ = live_blocks();
      peak_time_ns_ = time_ns;
      ++epoch_;
    }
  }
  last_time_ns_ = time_ns;
}

inline uint64_t HeapModel::SizeOf(uint32_t slot, uint64_t what) const {
  const uint64_t size = what & kSizeMask;
  if (size == kBigSize) [[unlikely]]
    return BigSize(slot);
  return size;
}

[[gnu::always_inline]] inline void HeapModel::Freed(uint32_t thread, uint32_t slot,
                                                    uint64_t time_ns) {
  Block& block = blocks_[slot];
  const uint64_t block_what = block.what;
  const uint64_t size = SizeOf(slot, block_what);
  Site& site = sites_[(block_what >> kSizeBits) - 1];
  block.what = 0;
  Remember(site);
  --site.live_blocks;
  site.live_bytes -= size;
  // A stamp of another CPU may be a little older than the allocation's.
  const uint64_t since = (block.when & kTimeMask) << time_shift_;
  if (time_ns > since) site.lifetime_ns += time_ns - since;
  // The slot may have had another owner since `thread` allocated it, but then
  // the block's thread is another, or the last allocation is another slot.
  if (block.when >> kTimeBits == thread && last_slot_.Get(thread) == slot + 1) {
    ++site.temporary;
    ++sizes_[SizeBucket(size)].temporary;
  }
  live_bytes_ -= size;
  if ((block_what & kSizeMask) == kBigSize) [[unlikely]]
    ForgetBigSize(slot);
  last_time_ns_ = time_ns;
}

[[gnu::always_inline]] inline uint32_t HeapModel::AllocateAt(uint32_t thread,
                                                             uint32_t site,
                                                             uint64_t size,
                                                             uint64_t time_ns) {
  uint32_t slot;
  if (names_.Take(&slot)) {
    blocks_.PushBack();
  } else if (uint32_t later; names_.LookAhead(kSlotsAhead - 1, &later)) {
    PrefetchSlot(later);
  }
  Allocated(thread, site, slot, size, time_ns);
  return slot;
}

[[gnu::always_inline]] inline void HeapModel::Free(uint32_t thread, uint32_t slot,
                                                   uint64_t time_ns) {
  Freed(thread, slot, time_ns);
  names_.Give(slot);
}

inline uint32_t HeapModel::Allocate(uint32_t thread, uint32_t stack, uint64_t size,
                                    uint64_t time_ns) {
  return AllocateAt(thread, SiteOf(stack), size, time_ns);
}

}  // namespace mallogram
