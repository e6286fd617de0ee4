#include "analyzer/recording/selected_blocks.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "preload/trace/heap_model.h"
#include "preload/trace/sampled_model.h"

namespace mallogram {
namespace {

class Folder {
 public:
  // `timeline`: when to look at the heap.
  Folder(const BlockSelection& selection, uint64_t sample_interval,
         std::vector<Sample> timeline)
      : selector_(selection), timeline_(std::move(timeline)) {
    if (sample_interval != 0)
      sampled_ = std::make_unique<SampledModel>(sample_interval);
  }

  // False: the events after time_ns() cannot be used.
  absl::StatusOr<bool> Fold(Recording& recording, ProgressFn progress) {
    using Take = BlockSelector::Take;
    EventRange<NoHints> events = recording.Events(progress, NoHints());
    for (const Event& read : events) {
      Event event = read;
      LookUntil(event.time_ns);
      const Take take = selector_.Rewrite(&event);
      if (take == Take::kEnd) return true;
      const bool folds = take == Take::kEvent || take == Take::kEventThenSkip;
      if (take == Take::kDamaged || (folds && !heap_.Apply(event))) {
        events.Refuse();
        break;
      }
      if (folds && sampled_ != nullptr) sampled_->Apply(event);
      if (take == Take::kSkip || take == Take::kEventThenSkip)
        heap_.Skip(event.thread);
      time_ns_ = event.time_ns;
    }
    if (events.status().code() == absl::StatusCode::kUnavailable)
      return events.status();
    return events.status().ok();
  }

  Summary Take() {
    LookUntil(UINT64_MAX);
    Summary summary = heap_.Summarize();
    if (sampled_ != nullptr) {
      sampled_->Restate(&summary);
      sampled_->Restate(&timeline_);
    }
    summary.timeline = std::move(timeline_);
    return summary;
  }
  uint64_t time_ns() const { return time_ns_; }

 private:
  // The heap as it is now is that of every moment before `time_ns`.
  void LookUntil(uint64_t time_ns) {
    while (looked_ < timeline_.size() && timeline_[looked_].time_ns < time_ns) {
      Sample& sample = timeline_[looked_++];
      sample.heap_bytes = heap_.live_bytes();
      sample.heap_max_bytes = heap_.TakeRecentMax();
    }
  }

  BlockSelector selector_;
  HeapModel heap_;
  std::unique_ptr<SampledModel> sampled_;
  std::vector<Sample> timeline_;
  size_t looked_ = 0;  // how many of them have been seen
  uint64_t time_ns_ = 0;
};

}  // namespace

absl::Status KeepSelected(Recording& recording, const BlockFilter& filter,
                          Trace* trace, ProgressFn progress) {
  const absl::StatusOr<BlockSelection> selection =
      Select(recording, filter, trace->threads, progress);
  if (!selection.ok()) return selection.status();
  Summary& summary = trace->summary;
  const auto folder = std::make_unique<Folder>(
      *selection, trace->run.sample_interval, summary.timeline);
  const absl::StatusOr<bool> whole = folder->Fold(recording, progress);
  if (!whole.ok()) return whole.status();
  if (!*whole && trace->index != IndexState::kFolded) {
    trace->warnings.push_back(absl::StrFormat(
        "the events after t=%.3f s cannot be read: figures of selected blocks stop "
        "there",
        static_cast<double>(folder->time_ns()) / 1e9));
  }
  trace->unfiltered = summary.totals;
  Summary selected = folder->Take();
  selected.totals.duration_ns = summary.totals.duration_ns;
  selected.totals.peak_rss_bytes = summary.totals.peak_rss_bytes;
  summary.totals = selected.totals;
  summary.sites = std::move(selected.sites);
  summary.sizes = std::move(selected.sizes);
  summary.sampling = std::move(selected.sampling);
  summary.timeline = std::move(selected.timeline);
  return absl::OkStatus();
}

absl::StatusOr<BlocksByStack> SelectedAt(Recording& recording,
                                         const BlockFilter& filter,
                                         const Trace& trace, const Moment& moment,
                                         ProgressFn progress) {
  absl::StatusOr<BlockSelection> selection =
      Select(recording, filter, trace.threads, progress);
  if (!selection.ok()) return selection.status();
  // A leak check has a time, the end of the window may be a count of events.
  if (filter.to.empty()) selection->to = moment;
  const auto folder = std::make_unique<Folder>(
      *selection, trace.run.sample_interval, std::vector<Sample>());
  const absl::StatusOr<bool> whole = folder->Fold(recording, progress);
  if (!whole.ok()) return whole.status();
  BlocksByStack blocks;
  for (const SiteTotals& site : folder->Take().sites) {
    if (site.live_blocks != 0)
      blocks[site.stack] = {site.stack, site.live_blocks, site.live_bytes};
  }
  return blocks;
}

}  // namespace mallogram
