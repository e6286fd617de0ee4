#include "analyzer/recording/live_at.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/recording/fetch_ahead.h"
#include "preload/trace/heap_model.h"
#include "preload/trace/sampled_model.h"

namespace mallogram {
namespace {

// An event was at most so much earlier or later than its time: interpolation, and
// half as much again for two clocks compared.
constexpr uint64_t kTimeErrorNs = kAnchorErrorNs + kAnchorErrorNs / 2;
// Of a single thread's events one in so many is stamped (ring.h); the others have
// the time of the stamp before them.
constexpr uint64_t kUnstampedEvents = 96;

// Reads the events once. One use.
class Fold {
 public:
  Fold(Recording& recording, absl::Span<const Moment> moments, ProgressFn progress);
  absl::StatusOr<std::vector<LiveHeap>> Run();

 private:
  // The heap before an event.
  struct Before {
    uint64_t time_ns = 0, bytes = 0;
  };
  // As many events as can be closer to a moment than kTimeErrorNs, at 10 ns each.
  static constexpr uint64_t kRecent = 8192;

  // What the events need to be understood.
  absl::Status ReadFacts();
  absl::Status ReadEvents();
  void Reach(uint64_t time_ns);
  void Widen(uint64_t time_ns);
  void Answer(uint32_t moment);
  uint64_t LiveBytes() const {
    return sampled_ != nullptr ? sampled_->live_bytes() : heap_.live_bytes();
  }
  bool Done() const {
    return next_by_event_ == by_event_.size() && next_by_time_ == by_time_.size() &&
           open_.empty();
  }

  Recording& recording_;
  const absl::Span<const Moment> moments_;
  const ProgressFn progress_;
  std::vector<LiveHeap> answers_;             // by moment
  std::vector<uint32_t> by_event_, by_time_;  // moments, in order
  size_t next_by_event_ = 0, next_by_time_ = 0;
  std::vector<uint32_t> open_;  // answered, but events to come may have been before
  HeapModel heap_;
  std::unique_ptr<SampledModel> sampled_;
  uint64_t sample_interval_ = 0;
  uint64_t stamped_from_ns_ = UINT64_MAX;  // every event since then is stamped
  uint64_t events_ = 0, time_ns_ = 0;
  std::array<Before, kRecent> recent_;  // by event % kRecent
  std::string trouble_;
};

Fold::Fold(Recording& recording, absl::Span<const Moment> moments,
           ProgressFn progress)
    : recording_(recording),
      moments_(moments),
      progress_(progress),
      answers_(moments.size()) {
  for (uint32_t i = 0; i < moments.size(); ++i) {
    (moments[i].events == Moment::kByTime ? by_time_ : by_event_).push_back(i);
  }
  std::sort(by_event_.begin(), by_event_.end(), [&](uint32_t a, uint32_t b) {
    return moments[a].events < moments[b].events;
  });
  std::sort(by_time_.begin(), by_time_.end(), [&](uint32_t a, uint32_t b) {
    return moments[a].time_ns < moments[b].time_ns;
  });
}

absl::Status Fold::ReadFacts() {
  const absl::StatusOr<RunInfo> run = recording_.Facts();
  if (run.ok()) sample_interval_ = run->sample_interval;
  const absl::StatusOr<std::vector<std::string>> payloads =
      recording_.Payloads(ChunkType::kThreads);
  if (!payloads.ok()) return payloads.status();
  uint32_t threads = 0;
  uint64_t second_start_ns = UINT64_MAX;
  for (const std::string& payload : *payloads) {
    const absl::StatusOr<std::vector<Thread>> more = DecodeThreads(payload);
    if (!more.ok()) continue;
    for (const Thread& thread : *more) {
      threads = std::max(threads, thread.index + 1);
      if (thread.index == 1) second_start_ns = thread.start_ns;
    }
  }
  if (threads > 1) stamped_from_ns_ = second_start_ns;
  if (sample_interval_ != 0)
    sampled_ = std::make_unique<SampledModel>(sample_interval_);
  return absl::OkStatus();
}

// The heap as it is now is the answer.
void Fold::Answer(uint32_t moment) {
  LiveHeap& answer = answers_[moment];
  answer.time_ns = moments_[moment].time_ns;
  answer.events = events_;
  answer.low_bytes = answer.high_bytes = LiveBytes();
  struct Sum {
    uint32_t stack;
    double blocks = 0, bytes = 0;  // estimates
    uint64_t counted_blocks = 0, counted_bytes = 0;
  };
  std::vector<Sum> sums;
  absl::flat_hash_map<uint32_t, size_t> sum_of_stack;  // where in `sums`
  heap_.ForEachLive([&](uint32_t, uint32_t stack, uint64_t size, uint64_t,
                        uint32_t) {
    const size_t at = sum_of_stack.try_emplace(stack, sums.size()).first->second;
    if (at == sums.size()) sums.push_back({stack});
    Sum& sum = sums[at];
    if (sampled_ == nullptr) {
      ++sum.counted_blocks;
      sum.counted_bytes += size;
      return;
    }
    const double weight = 1 / SampleProbability(size, sample_interval_);
    sum.blocks += weight;
    sum.bytes += weight * static_cast<double>(size);
  });
  answer.sites.reserve(sums.size());
  for (const Sum& sum : sums) {
    LiveSite site{sum.stack, sum.counted_blocks, sum.counted_bytes};
    if (sampled_ != nullptr) {
      site.blocks = static_cast<uint64_t>(std::llround(sum.blocks));
      site.bytes = static_cast<uint64_t>(std::llround(sum.bytes));
    }
    answer.blocks += site.blocks;
    answer.bytes += site.bytes;
    answer.sites.push_back(site);
  }
  std::sort(answer.sites.begin(), answer.sites.end(),
            [](const LiveSite& a, const LiveSite& b) { return a.stack < b.stack; });
}

// An event of that time is about to change the heap: answers the moments before it.
// UINT64_MAX: nothing comes any more.
void Fold::Reach(uint64_t time_ns) {
  while (next_by_event_ < by_event_.size() &&
         moments_[by_event_[next_by_event_]].events <= events_) {
    Answer(by_event_[next_by_event_++]);
  }
  while (next_by_time_ < by_time_.size() &&
         (moments_[by_time_[next_by_time_]].time_ns < time_ns ||
          time_ns == UINT64_MAX)) {
    const uint32_t moment = by_time_[next_by_time_++];
    Answer(moment);
    LiveHeap& answer = answers_[moment];
    const uint64_t earliest =
        answer.time_ns > kTimeErrorNs ? answer.time_ns - kTimeErrorNs : 0;
    // Those that are too near, and before them those that only have an older stamp.
    uint64_t more = answer.time_ns < stamped_from_ns_ ? kUnstampedEvents : 0;
    for (uint64_t back = 1; back <= std::min(events_, kRecent); ++back) {
      const Before& before = recent_[(events_ - back) % kRecent];
      if (before.time_ns < earliest && more-- == 0) break;
      answer.low_bytes = std::min(answer.low_bytes, before.bytes);
      answer.high_bytes = std::max(answer.high_bytes, before.bytes);
    }
    open_.push_back(moment);
  }
}

// The heap has been changed by an event of that time.
void Fold::Widen(uint64_t time_ns) {
  const uint64_t bytes = LiveBytes();
  for (size_t i = 0; i < open_.size();) {
    LiveHeap& answer = answers_[open_[i]];
    if (time_ns - std::min(time_ns, answer.time_ns) > kTimeErrorNs) {
      open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    answer.low_bytes = std::min(answer.low_bytes, bytes);
    answer.high_bytes = std::max(answer.high_bytes, bytes);
    ++i;
  }
}

absl::Status Fold::ReadEvents() {
  EventRange<FetchAhead> events = recording_.Events(progress_, FetchAhead{heap_});
  for (const Event& event : events) {
    Reach(event.time_ns);
    if (Done()) return absl::OkStatus();
    recent_[events_ % kRecent] = {event.time_ns, LiveBytes()};
    if (!heap_.Apply(event)) {
      events.Refuse();
      break;
    }
    if (sampled_ != nullptr) sampled_->Apply(event);
    ++events_;
    time_ns_ = event.time_ns;
    if (!open_.empty()) Widen(event.time_ns);
  }
  const double seconds = static_cast<double>(time_ns_) / 1e9;
  if (!events.status().ok()) {
    trouble_ = absl::StrFormat("the events after t=%.3f s cannot be read", seconds);
    return absl::OkStatus();
  }
  const absl::StatusOr<const ChunkDirectory*> directory =
      recording_.Directory(Chunks::kEvents, progress_);
  if (!directory.ok()) return directory.status();
  if (!(*directory)->from_index) {
    trouble_ = absl::StrFormat(
        "the recording has no footer: its last event is at t=%.3f s", seconds);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LiveHeap>> Fold::Run() {
  absl::Status status = ReadFacts();
  if (status.ok()) status = ReadEvents();
  if (!status.ok()) return status;
  // What is left is later than the last event.
  for (; next_by_event_ < by_event_.size(); ++next_by_event_) {
    const uint32_t moment = by_event_[next_by_event_];
    Answer(moment);
    if (moments_[moment].events != events_) answers_[moment].warning = trouble_;
  }
  const size_t late = next_by_time_;
  Reach(UINT64_MAX);
  for (size_t i = late; i < by_time_.size(); ++i)
    answers_[by_time_[i]].warning = trouble_;
  return std::move(answers_);
}

}  // namespace

absl::StatusOr<std::vector<LiveHeap>> LiveAt(Recording& recording,
                                             absl::Span<const Moment> moments,
                                             ProgressFn progress) {
  return std::make_unique<Fold>(recording, moments, progress)->Run();
}

}  // namespace mallogram
