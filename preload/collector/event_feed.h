// Where ordered events go: into the heap model, the batch that will be a kEvents
// chunk, the timeline and the thread table, ids and times translated to the file's.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "preload/collector/order.h"
#include "preload/collector/stamp_clock.h"
#include "preload/collector/timeline.h"
#include "preload/collector/translator.h"
#include "preload/trace/event_codec.h"
#include "preload/trace/heap_model.h"

namespace mallogram {

class EventFeed final : public EventSink {
 public:
  // Looked at once in so many events: is the batch full?
  static constexpr uint64_t kCheckEvents = 4096;
  static constexpr size_t kBatchBytes = 1 << 20;

  // `flush` is called when the batch is full, from within an event.
  EventFeed(pid_t pid, Translator* translator, const StampClock* clock,
            std::function<void()> flush)
      : pid_(pid),
        translator_(translator),
        clock_(clock),
        flush_(std::move(flush)) {}

  uint32_t Allocate(uint32_t stream, const Record& record) override;
  void Free(uint32_t stream, uint32_t slot, uint64_t stamp) override;
  uint32_t Move(uint32_t stream, uint32_t slot, const Record& end) override;
  void FreeUnknown(uint32_t stream, uint64_t stamp) override;
  void Lose(uint32_t stream, const Record& record) override;
  void StartThread(uint32_t stream, int64_t tid, uint64_t stamp) override;

  // Events from now on happened between these stamps, whatever their own say: not
  // before the last round looked (those without an exact stamp of their own say
  // less), and not in the future (a damaged ring may).
  void SetWindow(uint64_t floor, uint64_t ceiling) {
    floor_ = floor;
    ceiling_ = std::max(floor, ceiling);
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
  uint32_t thread_count() const { return static_cast<uint32_t>(threads_.size()); }
  uint64_t last_ns() const { return last_ns_; }

  // Payload of what the file does not know yet; empty: nothing.
  std::string TakeThreads();
  std::string TakeSamples() { return timeline_.TakePending(); }

 private:
  uint64_t TimeOf(uint64_t stamp);
  uint32_t ThreadOf(uint32_t stream);
  void Store(const Event& event);
  void AddSample(uint64_t time_ns);

  const pid_t pid_;
  Translator* const translator_;
  const StampClock* const clock_;
  const std::function<void()> flush_;

  HeapModel model_;
  EventEncoder encoder_;
  Timeline timeline_;
  std::vector<Thread> threads_;
  std::vector<uint32_t> pending_threads_;   // indices
  std::vector<uint32_t> thread_of_stream_;  // current thread + 1; 0: none yet
  uint64_t floor_ = 0, ceiling_ = 0, last_ns_ = 0, rss_bytes_ = 0;
};

}  // namespace mallogram
