#include "analyzer/leaks/growth/read_growth.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "analyzer/leaks/growth/course.h"
#include "preload/trace/mapped_array.h"
#include "preload/trace/sampling.h"
#include "preload/trace/slots.h"

namespace mallogram {
namespace {

constexpr uint64_t kHeapPoints = 64;

using Caller = std::pair<uint32_t, uint64_t>;

Caller CallerOf(const Trace& trace, uint32_t stack) {
  Stack node;
  if (!trace.FindStack(stack, &node)) return {0, stack};
  return {node.module, node.offset};
}

// The blocks alive, under the names that events give them (slots.h), with what
// CourseRecorder wants to hear when they go. 10 bytes a block, 4 a freed one.
class Blocks {
 public:
  uint32_t Add(uint32_t site, uint64_t bytes, uint16_t cohorts) {
    uint32_t slot;
    if (names_.Take(&slot)) {
      blocks_.PushBack();
      cohorts_.PushBack();
    }
    blocks_[slot] = std::min(bytes, kMostBytes) | uint64_t{site + 1} << kBytesBits;
    cohorts_[slot] = cohorts;
    return slot;
  }
  // False: no block has that name.
  bool Remove(uint32_t slot, uint32_t* site, uint64_t* bytes, uint16_t* cohorts) {
    if (!names_.IsKnown(slot) || blocks_[slot] == 0) return false;
    *site = static_cast<uint32_t>(blocks_[slot] >> kBytesBits) - 1;
    *bytes = blocks_[slot] & kMostBytes;
    *cohorts = cohorts_[slot];
    blocks_[slot] = 0;
    names_.Give(slot);
    return true;
  }
  static uint64_t Kept(uint64_t bytes) { return std::min(bytes, kMostBytes); }

 private:
  static constexpr int kBytesBits = 35;
  static constexpr uint64_t kMostBytes = (uint64_t{1} << kBytesBits) - 1;
  static_assert(kMaxStackIds < 1u << (64 - kBytesBits));

  GrowingArray<uint64_t> blocks_;  // bytes | site + 1; 0: not alive
  GrowingArray<uint16_t> cohorts_;
  SlotNames names_;
};

// Reads events; a file that is cut or damaged, as far as it goes.
class Pass {
 public:
  Pass(Recording& recording, const Trace& trace, const RunEnd& end)
      : recording_(recording), trace_(trace), end_(end) {}

  absl::StatusOr<RunGrowth> Run(ProgressFn progress);

 private:
  template <typename F>
  absl::Status ForEachEvent(ProgressFn progress, F&& take);
  void AddSite(uint32_t stack, uint64_t calls);
  bool Take(const Event& event);
  bool Allocate(const Event& event);
  bool Free(uint32_t slot);

  Recording& recording_;
  const Trace& trace_;
  const RunEnd end_;
  SparseArray<uint32_t> site_of_stack_;  // index + 1
  std::vector<uint32_t> stacks_;         // by site
  std::vector<uint64_t> calls_;          // by site
  std::vector<uint32_t> caller_of_site_;
  std::vector<Caller> callers_;
  std::unique_ptr<CourseRecorder> by_stack_, by_caller_;
  Blocks blocks_;
  uint64_t time_ns_ = 0;
  uint64_t live_bytes_ = 0, allocations_ = 0;
  uint64_t point_distance_ = 1, next_point_ = 1;
  std::vector<HeapPoint> heap_;
};

template <typename F>
absl::Status Pass::ForEachEvent(ProgressFn progress, F&& take) {
  uint64_t events = 0;
  EventRange<NoHints> range = recording_.Events(progress, NoHints());
  for (const Event& event : range) {
    if (events++ == end_.events || !take(event)) break;
  }
  return absl::IsUnavailable(range.status()) ? range.status() : absl::OkStatus();
}

void Pass::AddSite(uint32_t stack, uint64_t calls) {
  if (stack >= kMaxStackIds || site_of_stack_.Get(stack) != 0) return;
  stacks_.push_back(stack);
  calls_.push_back(calls);
  site_of_stack_[stack] = static_cast<uint32_t>(stacks_.size());
}

bool Pass::Allocate(const Event& event) {
  const uint32_t index = site_of_stack_.Get(event.stack);
  if (index == 0) return false;
  const uint32_t site = index - 1;
  uint64_t bytes = event.size;
  const uint64_t interval = trace_.summary.sampling.interval;
  if (interval != 0) {
    bytes = static_cast<uint64_t>(std::llround(static_cast<double>(bytes) /
                                               SampleProbability(bytes, interval)));
  }
  bytes = Blocks::Kept(bytes);
  const uint16_t own = by_stack_->Allocate(site, bytes, event.time_ns);
  const uint16_t shared =
      by_caller_->Allocate(caller_of_site_[site], bytes, event.time_ns);
  live_bytes_ += bytes;
  if (++allocations_ == next_point_) {
    heap_.push_back({allocations_, live_bytes_});
    next_point_ = allocations_ + point_distance_;
  }
  blocks_.Add(site, bytes, static_cast<uint16_t>(own | shared << 8));
  return true;
}

bool Pass::Free(uint32_t slot) {
  uint32_t site = 0;
  uint64_t bytes = 0;
  uint16_t cohorts = 0;
  if (!blocks_.Remove(slot, &site, &bytes, &cohorts)) return false;
  live_bytes_ -= bytes;
  by_stack_->Free(site, static_cast<uint8_t>(cohorts & 0xff), bytes);
  by_caller_->Free(caller_of_site_[site], static_cast<uint8_t>(cohorts >> 8),
                   bytes);
  return true;
}

bool Pass::Take(const Event& event) {
  time_ns_ = std::max(time_ns_, event.time_ns);
  switch (event.kind) {
    case EventKind::kAlloc:
      return Allocate(event);
    case EventKind::kFree:
      return Free(event.slot);
    case EventKind::kMove:
      return Free(event.slot) && Allocate(event);
    case EventKind::kFreeUnknown:
    case EventKind::kLost:
      return true;
  }
  return false;
}

absl::StatusOr<RunGrowth> Pass::Run(ProgressFn progress) {
  absl::Status status;
  // How often each stack allocates: the summary knows it of a whole recording of
  // every block.
  if (end_.events == UINT64_MAX && trace_.summary.sampling.interval == 0) {
    for (const SiteTotals& site : trace_.summary.sites) {
      if (site.calls != 0) AddSite(site.stack, site.calls);
    }
  } else {
    status = ForEachEvent(progress, [this](const Event& event) {
      if (event.stack >= kMaxStackIds) return false;
      if (event.kind != EventKind::kAlloc && event.kind != EventKind::kMove)
        return true;
      AddSite(event.stack, 0);
      ++calls_[site_of_stack_.Get(event.stack) - 1];
      return true;
    });
    if (!status.ok()) return status;
  }
  absl::flat_hash_map<Caller, uint32_t> index_of_caller;
  std::vector<uint64_t> caller_calls;
  for (size_t site = 0; site < stacks_.size(); ++site) {
    const Caller caller = CallerOf(trace_, stacks_[site]);
    const auto [entry, is_new] =
        index_of_caller.try_emplace(caller, static_cast<uint32_t>(callers_.size()));
    if (is_new) {
      callers_.push_back(caller);
      caller_calls.push_back(0);
    }
    caller_of_site_.push_back(entry->second);
    caller_calls[entry->second] += calls_[site];
  }
  const uint64_t calls = std::accumulate(calls_.begin(), calls_.end(), uint64_t{0});
  point_distance_ = next_point_ = (calls + kHeapPoints - 1) / kHeapPoints;
  by_stack_ = std::make_unique<CourseRecorder>(calls_);
  by_caller_ = std::make_unique<CourseRecorder>(caller_calls);
  status =
      ForEachEvent(progress, [this](const Event& event) { return Take(event); });
  if (!status.ok()) return status;
  const uint64_t end_ns =
      end_.time_ns != 0 ? end_.time_ns : trace_.summary.totals.duration_ns;
  time_ns_ = std::max(time_ns_, end_ns);

  RunGrowth growth;
  growth.heap = std::move(heap_);
  const std::vector<SiteGrowth> stacks = LabelGrowth(by_stack_->Finish(time_ns_));
  for (size_t i = 0; i < stacks.size(); ++i)
    growth.of_stack[stacks_[i]] = stacks[i];
  const std::vector<SiteGrowth> callers = LabelGrowth(by_caller_->Finish(time_ns_));
  for (size_t i = 0; i < callers.size(); ++i)
    growth.of_caller[callers_[i]] = callers[i];
  return growth;
}

}  // namespace

SiteGrowth RunGrowth::Of(const Trace& trace, uint32_t stack) const {
  const auto own = of_stack.find(stack);
  if (own != of_stack.end() && own->second.label == GrowthKind::kGrowing) {
    return own->second;
  }
  const auto shared = of_caller.find(CallerOf(trace, stack));
  if (shared != of_caller.end() && shared->second.label == GrowthKind::kGrowing) {
    return shared->second;
  }
  return own != of_stack.end() ? own->second : SiteGrowth();
}

RunEnd EndOfRun(const Trace& trace, size_t number) {
  if (number == 0) number = trace.leak_checks.size();
  if (number == 0 || number > trace.leak_checks.size()) return {};
  const LeakCheck& check = trace.leak_checks[number - 1];
  const bool asked =
      check.cause == CheckCause::kCommand || check.cause == CheckCause::kClient;
  return {asked ? check.events : UINT64_MAX, check.time_ns};
}

absl::StatusOr<RunGrowth> ReadGrowth(Recording& recording, const Trace& trace,
                                     ProgressFn progress, const RunEnd& end) {
  return Pass(recording, trace, end).Run(progress);
}

}  // namespace mallogram
