#include "preload/collector/event_feed.h"

#include <algorithm>

#include "preload/collector/process_facts.h"

namespace mallogram {
namespace {

// Names are for people: a program with more threads at once keeps the first names.
constexpr size_t kMaxNamesRefreshed = 256;

}  // namespace

uint64_t EventFeed::TimeOf(uint64_t stamp) {
  last_ns_ = std::max(last_ns_, clock_->ToNs(std::clamp(stamp, floor_, ceiling_)));
  return last_ns_;
}

uint32_t EventFeed::ThreadOf(uint32_t stream) {
  if (stream >= thread_of_stream_.size()) thread_of_stream_.resize(stream + 1);
  // A stream whose first record is not kThread was scribbled over.
  if (thread_of_stream_[stream] == 0) StartThread(stream, 0, floor_);
  return thread_of_stream_[stream] - 1;
}

void EventFeed::StartThread(uint32_t stream, int64_t tid, uint64_t stamp) {
  if (stream >= thread_of_stream_.size()) thread_of_stream_.resize(stream + 1);
  if (threads_.size() == kMaxThreads) {  // more than the format can tell apart
    thread_of_stream_[stream] = kMaxThreads;
    return;
  }
  Thread thread;
  thread.index = static_cast<uint32_t>(threads_.size());
  thread.tid = tid;
  thread.name = tid > 0 ? ThreadName(pid_, tid) : "";
  thread.start_ns = TimeOf(stamp);
  threads_.push_back(std::move(thread));
  pending_threads_.push_back(threads_.back().index);
  thread_of_stream_[stream] = static_cast<uint32_t>(threads_.size());
}

void EventFeed::Store(const Event& event) {
  encoder_.Add(event);
  if (timeline_.Due(event.time_ns)) [[unlikely]]
    AddSample(event.time_ns);
  if (encoder_.event_count() % kCheckEvents == 0 &&
      encoder_.approximate_bytes() >= kBatchBytes) [[unlikely]] {
    flush_();
  }
}

uint32_t EventFeed::Allocate(uint32_t stream, const Record& record) {
  Event event;
  event.kind = EventKind::kAlloc;
  event.thread = ThreadOf(stream);
  event.stack = translator_->Stack(record.stack);
  event.size = std::min(record.size, HeapModel::kMaxSize);
  event.time_ns = TimeOf(record.stamp);
  const uint32_t slot =
      model_.Allocate(event.thread, event.stack, event.size, event.time_ns);
  Store(event);
  return slot;
}

void EventFeed::Free(uint32_t stream, uint32_t slot, uint64_t stamp) {
  Event event;
  event.kind = EventKind::kFree;
  event.thread = ThreadOf(stream);
  event.slot = slot;
  event.time_ns = TimeOf(stamp);
  model_.Free(event.thread, slot, event.time_ns);
  Store(event);
}

uint32_t EventFeed::Move(uint32_t stream, uint32_t slot, const Record& end) {
  Event event;
  event.kind = EventKind::kMove;
  event.thread = ThreadOf(stream);
  event.slot = slot;
  event.stack = translator_->Stack(end.stack);
  event.size = std::min(end.size, HeapModel::kMaxSize);
  event.time_ns = TimeOf(end.stamp);
  const uint32_t moved =
      model_.Move(event.thread, slot, event.stack, event.size, event.time_ns);
  Store(event);
  return moved;
}

void EventFeed::FreeUnknown(uint32_t stream, uint64_t stamp) {
  Event event;
  event.kind = EventKind::kFreeUnknown;
  event.thread = ThreadOf(stream);
  event.time_ns = TimeOf(stamp);
  model_.FreeUnknown(event.time_ns);
  Store(event);
}

void EventFeed::Lose(uint32_t stream, const Record& record) {
  Event event;
  event.kind = EventKind::kLost;
  event.thread = ThreadOf(stream);
  event.stack = translator_->Stack(record.stack);
  event.count = record.count;
  event.size = record.size;
  event.time_ns = TimeOf(record.stamp);
  model_.Lose(event.stack, event.count, event.size, event.time_ns);
  Store(event);
}

void EventFeed::AddSample(uint64_t time_ns) {
  Sample sample;
  sample.time_ns = time_ns;
  sample.heap_bytes = model_.live_bytes();
  sample.heap_max_bytes = model_.TakeRecentMax();
  sample.rss_bytes = rss_bytes_;
  timeline_.Add(sample);
}

void EventFeed::RefreshThreadNames() {
  size_t looked = 0;
  for (const uint32_t current : thread_of_stream_) {
    if (current == 0) continue;
    Thread& thread = threads_[current - 1];
    if (++looked > kMaxNamesRefreshed) return;
    std::string name = ThreadName(pid_, thread.tid);
    if (name.empty() || name == thread.name) continue;
    thread.name = std::move(name);
    pending_threads_.push_back(thread.index);
  }
}

std::string EventFeed::TakeThreads() {
  if (pending_threads_.empty()) return "";
  std::vector<Thread> threads;
  for (const uint32_t index : pending_threads_) threads.push_back(threads_[index]);
  pending_threads_.clear();
  return EncodeThreads(threads);
}

}  // namespace mallogram
