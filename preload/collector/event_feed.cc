#include "preload/collector/event_feed.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "preload/collector/process_facts.h"

namespace mallogram {
namespace {

// Names are for people: a program with more threads at once keeps the first names.
constexpr size_t kMaxNamesRefreshed = 256;
// Marks of one batch: a program that prints nothing else fills no memory.
constexpr size_t kMaxPendingMarks = 4096;

}  // namespace

// A stream whose first record is not kThread was scribbled over.
uint32_t EventFeed::StrayThread(uint32_t stream) {
  StartThread(stream, 0, floor_);
  return thread_of_stream_[stream] - 1;
}

uint32_t EventFeed::FindSite(uint32_t stack) {
  const uint32_t file_id = translator_->Stack(stack);
  const uint32_t site = model_.SiteOf(file_id);
  // What is not known yet may become known.
  if (file_id != kRootUnknown || stack == kRootUnknown)
    site_of_stack_[stack] = site + 1;
  return site;
}

void EventFeed::StartThread(uint32_t stream, int64_t tid, uint64_t stamp) {
  stream_count_ = std::max(stream_count_, stream + 1);
  if (threads_.size() == kMaxThreads) {  // more than the format can tell apart
    thread_of_stream_[stream] = kMaxThreads;
    return;
  }
  Thread thread;
  thread.index = static_cast<uint32_t>(threads_.size());
  const pid_t here = numbers_.Here(tid);
  thread.tid = here != 0 ? here : tid;
  thread.name = here != 0 ? ThreadName(pid_, here) : "";
  thread.start_ns = TimeOf(stamp);
  threads_.push_back(std::move(thread));
  pending_threads_.push_back(threads_.back().index);
  thread_of_stream_[stream] = static_cast<uint32_t>(threads_.size());
}

void EventFeed::FlushIfFull() {
  if (encoder_.approximate_bytes() >= kBatchBytes) flush_();
}

void EventFeed::Store(const Event& event) {
  Stored(event.time_ns, encoder_.Add(event));
}

uint32_t EventFeed::Move(uint32_t stream, uint32_t slot, const Record& end) {
  Event event;
  event.kind = EventKind::kMove;
  event.thread = ThreadOf(stream);
  event.slot = slot;
  event.stack = translator_->Stack(end.stack);
  event.size = std::min(end.size, HeapModel::kMaxSize);
  event.time_ns = TimeOf(end.stamp);
  if (watch_ != nullptr)
    watch_->Free(stream, slot, MomentOf(stream, event.time_ns));
  const uint32_t moved =
      model_.Move(event.thread, slot, event.stack, event.size, event.time_ns);
  if (watch_ != nullptr) watch_->Allocate(stream, moved, end);
  Store(event);
  return moved;
}

void EventFeed::FreeUnknown(uint32_t stream, uint64_t address, uint64_t stamp) {
  Event event;
  event.kind = EventKind::kFreeUnknown;
  event.thread = ThreadOf(stream);
  event.time_ns = TimeOf(stamp);
  if (watch_ != nullptr)
    watch_->FreeUnknown(stream, address, MomentOf(stream, event.time_ns));
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

void EventFeed::Mark(uint32_t stream, const Record& record) {
  if (pending_marks_.size() == kMaxPendingMarks) return;
  const uint64_t words[] = {record.address, record.size, record.count};
  char name[sizeof(words)];
  std::memcpy(name, words, sizeof(words));
  mallogram::Mark mark;
  mark.name.assign(name, strnlen(name, sizeof(name)));
  mark.events = event_count();
  mark.time_ns = TimeOf(record.stamp);
  const auto scale = std::bit_cast<double>(scale_of_stream_.Get(stream));
  if (scale != 0) scale_of_stream_[stream] = 0;
  mark.scale = std::isfinite(scale) ? scale : 0;
  pending_marks_.push_back(std::move(mark));
}

[[gnu::noinline]] void EventFeed::Freed(uint32_t stream, uint32_t slot,
                                        uint64_t time_ns) {
  ignored_.erase(slot);
  if (watch_ != nullptr) watch_->Free(stream, slot, MomentOf(stream, time_ns));
}

void EventFeed::Note(uint32_t stream, uint32_t slot, const Record& record) {
  if (record.op == RecordOp::kNote) {
    switch (SubtypeOf(record.count)) {
      case Extended::kScale:
        scale_of_stream_[stream] = record.address;
        return;
      case Extended::kIgnore:
        if (slot >= LiveMap::kUnfollowed) return;
        ignored_.insert(slot);
        watched_ = true;
        return;
      case Extended::kPoolCreate:
      case Extended::kPoolAlloc:
      case Extended::kPoolFree:
      case Extended::kPoolDestroy:
        pools_.Note(record, ThreadOf(stream), TimeOf(record.stamp));
        return;
      default:
        break;
    }
  }
  if (watch_ != nullptr) watch_->Note(stream, slot, record);
}

std::string EventFeed::Mismatches() const {
  if (watch_ == nullptr) return "";
  return EncodeMismatches(
      watch_->List([this](uint32_t id) { return translator_->Stack(id); }));
}

std::string EventFeed::Pools() const {
  if (pools_.empty()) return "";
  return EncodePools(
      pools_.List([this](uint32_t id) { return translator_->Stack(id); }));
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
  for (uint32_t stream = 0; stream < stream_count_; ++stream) {
    const uint32_t current = thread_of_stream_.Get(stream);
    if (current == 0) continue;
    Thread& thread = threads_[current - 1];
    if (++looked > kMaxNamesRefreshed) return;
    std::string name = ThreadName(pid_, thread.tid);
    if (name.empty() || name == thread.name) continue;
    thread.name = std::move(name);
    pending_threads_.push_back(thread.index);
  }
}

std::string EventFeed::TakeMarks() {
  if (pending_marks_.empty()) return "";
  Marks marks{clock_->start_monotonic_ns(), std::move(pending_marks_)};
  pending_marks_.clear();
  return EncodeMarks(marks);
}

std::string EventFeed::TakeThreads() {
  if (pending_threads_.empty()) return "";
  std::vector<Thread> threads;
  for (const uint32_t index : pending_threads_) threads.push_back(threads_[index]);
  pending_threads_.clear();
  return EncodeThreads(threads);
}

}  // namespace mallogram
