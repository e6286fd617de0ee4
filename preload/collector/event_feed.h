// Where ordered events go: into the heap model, the batch that will be a kEvents
// chunk, the timeline and the thread table, ids and times translated to the file's.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "preload/collector/mismatch_watch.h"
#include "preload/collector/order.h"
#include "preload/collector/pool_book.h"
#include "preload/collector/stamp_clock.h"
#include "preload/collector/thread_numbers.h"
#include "preload/collector/timeline.h"
#include "preload/collector/translator.h"
#include "preload/trace/event_codec.h"
#include "preload/trace/heap_model.h"
#include "preload/trace/marks.h"

namespace mallogram {

class EventFeed {
 public:
  static constexpr size_t kBatchBytes = 1 << 20;

  // `flush` is called when the batch is full, from within an event.
  EventFeed(pid_t pid, Translator* translator, const StampClock* clock,
            std::function<void()> flush)
      : pid_(pid),
        translator_(translator),
        clock_(clock),
        flush_(std::move(flush)) {}

  uint32_t Allocate(uint32_t stream, const Record& record);
  void Free(uint32_t stream, uint32_t slot, uint64_t stamp);
  uint32_t Move(uint32_t stream, uint32_t slot, const Record& end);
  void FreeUnknown(uint32_t stream, uint64_t address, uint64_t stamp);
  void Lose(uint32_t stream, const Record& record);
  void Mark(uint32_t stream, const Record& record);
  void Note(uint32_t stream, uint32_t slot, const Record& record);
  void StartThread(uint32_t stream, int64_t tid, uint64_t stamp);
  [[gnu::always_inline]] void Prefetch(uint32_t slot) const {
    model_.PrefetchSlot(slot);
  }
  [[gnu::always_inline]] void PrefetchMore(uint32_t slot) const {
    model_.PrefetchSite(slot);
  }

  // Events from now on happened between these stamps, whatever their own say: not
  // before the last round looked (those without an exact stamp of their own say
  // less), and not in the future (a damaged ring may).
  void SetWindow(uint64_t floor, uint64_t ceiling) {
    floor_ = floor;
    ceiling_ = std::max(floor, ceiling);
    last_stamp_ = kNoStamp;  // the clock may have been set, too
  }
  void SetRss(uint64_t bytes) { rss_bytes_ = bytes; }
  // A point of the timeline, if one is due.
  void SampleAt(uint64_t time_ns) {
    if (timeline_.Due(time_ns)) AddSample(time_ns);
  }
  // Threads that live get the names they have by now.
  void RefreshThreadNames();

  const HeapModel& model() const { return model_; }
  const Timeline& timeline() const { return timeline_; }
  EventEncoder& encoder() { return encoder_; }
  // Of the recording so far, as in Mark.events.
  uint64_t event_count() const {
    return encoder_.first_event() + encoder_.event_count();
  }
  uint32_t thread_count() const { return static_cast<uint32_t>(threads_.size()); }
  uint64_t last_ns() const { return last_ns_; }

  // Looks for frees that do not fit from now on: see MismatchWatch.
  void WatchMismatches(bool may_hide) {
    watch_ = std::make_unique<MismatchWatch>(may_hide);
    watched_ = true;
  }
  MismatchWatch* watch() { return watch_.get(); }
  ThreadNumbers* numbers() { return &numbers_; }
  // The program said of the block that it is no leak: mallogram_ignore().
  const absl::flat_hash_set<uint32_t>& ignored() const { return ignored_; }
  bool IsIgnored(uint32_t slot) const { return ignored_.contains(slot); }

  // All so far, the stacks translated: not for payloads only, so before the file's
  // last stacks are taken. Empty: nobody looked for them, there are none.
  std::string Mismatches() const;
  std::string Pools() const;

  // Payload of what the file does not know yet; empty: nothing.
  std::string TakeThreads();
  std::string TakeMarks();
  std::string TakeSamples() { return timeline_.TakePending(); }

 private:
  static constexpr uint64_t kNoStamp = UINT64_MAX;

  uint64_t TimeOf(uint64_t stamp) {
    // Without exact stamps there are many events of one.
    if (stamp == last_stamp_) return last_ns_;
    last_stamp_ = stamp;
    const uint64_t ns = clock_->ToNs(std::clamp(stamp, floor_, ceiling_));
    if (ns > last_ns_) last_ns_ = ns;
    return last_ns_;
  }
  uint32_t ThreadOf(uint32_t stream) {
    const uint32_t known = thread_of_stream_.Get(stream);
    return known != 0 ? known - 1 : StrayThread(stream);
  }
  // The site of the image's stack id.
  uint32_t SiteOf(uint32_t stack) {
    const uint32_t known = site_of_stack_.Get(stack);
    return known != 0 ? known - 1 : FindSite(stack);
  }
  uint32_t StrayThread(uint32_t stream);
  uint32_t FindSite(uint32_t stack);
  // `checked`: the encoder has looked for room.
  void Stored(uint64_t time_ns, bool checked) {
    if (timeline_.Due(time_ns)) [[unlikely]]
      AddSample(time_ns);
    if (checked) [[unlikely]]
      FlushIfFull();
  }
  MismatchWatch::Moment MomentOf(uint32_t stream, uint64_t time_ns) {
    return {time_ns, encoder_.first_event() + encoder_.event_count(),
            ThreadOf(stream)};
  }
  void Freed(uint32_t stream, uint32_t slot, uint64_t time_ns);
  void Store(const Event& event);
  void FlushIfFull();
  void AddSample(uint64_t time_ns);

  const pid_t pid_;
  ThreadNumbers numbers_{pid_};
  Translator* const translator_;
  const StampClock* const clock_;
  const std::function<void()> flush_;

  HeapModel model_;
  EventEncoder encoder_;
  Timeline timeline_;
  std::vector<Thread> threads_;
  std::vector<uint32_t> pending_threads_;  // indices
  std::vector<mallogram::Mark> pending_marks_;
  SparseArray<uint32_t> thread_of_stream_;  // current thread + 1; 0: none yet
  uint32_t stream_count_ = 0;
  SparseArray<uint32_t> site_of_stack_;  // by image id: model's + 1; 0: not yet
  uint64_t floor_ = 0, ceiling_ = 0, last_ns_ = 0, rss_bytes_ = 0;
  uint64_t last_stamp_ = kNoStamp;  // of which last_ns_ is the time

  bool watched_ = false;  // what becomes of blocks is of interest to the following
  std::unique_ptr<MismatchWatch> watch_;
  absl::flat_hash_set<uint32_t> ignored_;  // slots
  PoolBook pools_;
  SparseArray<uint64_t> scale_of_stream_;  // for its next mark: the double's bits
};

[[gnu::always_inline]] inline uint32_t EventFeed::Allocate(uint32_t stream,
                                                           const Record& record) {
  const uint32_t thread = ThreadOf(stream);
  const uint32_t site = SiteOf(record.stack);
  const uint64_t size = std::min(record.size, HeapModel::kMaxSize);
  const uint64_t time_ns = TimeOf(record.stamp);
  const uint32_t slot = model_.AllocateAt(thread, site, size, time_ns);
  if (watched_ && watch_ != nullptr) [[unlikely]]
    watch_->Allocate(stream, slot, record);
  Stored(time_ns, encoder_.AddAlloc(thread, model_.StackOf(site), size, time_ns));
  return slot;
}

[[gnu::always_inline]] inline void EventFeed::Free(uint32_t stream, uint32_t slot,
                                                   uint64_t stamp) {
  const uint32_t thread = ThreadOf(stream);
  const uint64_t time_ns = TimeOf(stamp);
  if (watched_) [[unlikely]]
    Freed(stream, slot, time_ns);
  model_.Free(thread, slot, time_ns);
  Stored(time_ns, encoder_.AddFree(thread, slot, time_ns));
}

}  // namespace mallogram
