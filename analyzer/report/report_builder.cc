#include "analyzer/report/report_builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "preload/trace/records.h"

namespace mallogram {
namespace {

// Of a recording that is not sampled: nothing is uncertain.
SiteEstimate Certain(const SiteTotals& totals) {
  const auto sum = [](uint64_t blocks, uint64_t bytes) {
    Estimate result;
    result.samples = blocks;
    result.blocks = static_cast<double>(blocks);
    result.bytes = static_cast<double>(bytes);
    return result;
  };
  return {sum(totals.calls, totals.bytes_allocated),
          sum(totals.live_blocks, totals.live_bytes),
          sum(totals.peak_blocks, totals.peak_bytes), UINT64_MAX};
}

// What sites would add up to.
SiteTotals OfAll(const Totals& totals) {
  SiteTotals all;
  all.calls = totals.allocations;
  all.bytes_allocated = totals.bytes_allocated;
  all.peak_bytes = totals.peak_heap_bytes;
  all.peak_blocks = totals.peak_heap_blocks;
  all.live_bytes = totals.live_bytes;
  all.live_blocks = totals.live_blocks;
  all.temporary = totals.temporary;
  return all;
}

}  // namespace

ReportBuilder::ReportBuilder(StackBook* book)
    : book_(book), filtered_(book->filter().active()) {
  report_.sizes.resize(kSizeBuckets);
}

// Whether the filters take a site, which counts either way.
bool ReportBuilder::Takes(const Trace& trace, const SiteTotals& site,
                          uint32_t node) {
  if (!trace.unfiltered.has_value()) filter_.all += site;
  if (!book_->Selects(node)) return false;
  filter_.shown += site;
  return true;
}

void ReportBuilder::AddTotals(const Trace& trace) {
  const Summary& summary = trace.summary;
  Process process;
  static_cast<ProcessFacts&>(process) = FactsOf(trace);
  process.totals = summary.totals;
  process.loss = summary.loss;
  report_.processes.push_back(std::move(process));
  timelines_.push_back(summary.timeline);

  if (trace.unfiltered.has_value()) {
    filtered_ = true;
    filter_.all += OfAll(*trace.unfiltered);
  }
  report_.totals += summary.totals;
  report_.loss += summary.loss;
  report_.self += summary.self;
  for (size_t i = 0; i < report_.sizes.size() && i < summary.sizes.size(); ++i) {
    report_.sizes[i] += summary.sizes[i];
  }
  // What the recorder has to say of this process: its own malloc, damaged rings, a
  // difference from libunwind. Why it gave up is part of how it ended.
  if (!trace.summary.detail_text.empty() &&
      trace.summary.end != EndReason::kDetached) {
    report_.warnings.push_back(
        absl::StrCat(trace.path, ": ", trace.summary.detail_text));
  }
  for (const std::string& warning : trace.warnings) {
    report_.warnings.push_back(absl::StrCat(trace.path, ": ", warning));
  }
}

void ReportBuilder::Add(const Trace& trace,
                        absl::FunctionRef<void(uint64_t, uint64_t)> progress) {
  AddTotals(trace);
  Sampling& sampling = report_.sampling;
  const Sampling& more = trace.summary.sampling;
  if (more.interval != 0 && !report_.sampled()) {
    // The recordings so far were not sampled.
    for (const Site& site : report_.sites) {
      sampling.sites.push_back(Certain(site.totals));
      sampling.totals.Add(sampling.sites.back());
    }
  }
  sampling.interval = std::max(sampling.interval, more.interval);
  book_->Begin(trace);
  if (report_.sites.empty()) report_.sites.reserve(trace.summary.sites.size());
  uint64_t done = 0;
  for (const SiteTotals& totals : trace.summary.sites) {
    progress(done++, trace.summary.sites.size());
    const uint32_t node = book_->NodeOf(totals.stack);
    if (!Takes(trace, totals, node)) continue;
    if (node >= site_of_node_.size()) site_of_node_.resize(book_->node_count());
    uint32_t& site = site_of_node_[node];
    if (site == 0) {
      report_.sites.push_back({totals.stack, node, SiteTotals()});
      site = static_cast<uint32_t>(report_.sites.size());
    }
    report_.sites[site - 1].totals += totals;
    if (!report_.sampled()) continue;
    sampling.sites.resize(report_.sites.size());
    const SiteEstimate estimate =
        more.interval != 0 ? more.sites[done - 1] : Certain(totals);
    sampling.sites[site - 1].Add(estimate);
    if (more.interval == 0) sampling.totals.Add(estimate);
  }
  sampling.totals.Add(more.totals);
  if (report_.sampled()) sampling.sites.resize(report_.sites.size());
}

// Every process keeps its last value until its next sample, and counts nothing
// after its end.
void ReportBuilder::MergeTimelines() {
  struct Step {
    uint64_t time_ns;
    size_t process;
    Sample sample;
  };
  const uint64_t origin = report_.processes.front().start_unix_ns;
  std::vector<Step> steps;
  for (size_t i = 0; i < timelines_.size(); ++i) {
    const uint64_t shift = report_.processes[i].start_unix_ns - origin;
    for (const Sample& sample : timelines_[i]) {
      steps.push_back({sample.time_ns + shift, i, sample});
    }
    steps.push_back({report_.processes[i].totals.duration_ns + shift, i, Sample()});
  }
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return a.time_ns < b.time_ns;
  });
  std::vector<Sample> last(timelines_.size());
  Sample sum;
  for (const Step& step : steps) {
    Sample& old = last[step.process];
    sum.heap_bytes += step.sample.heap_bytes - old.heap_bytes;
    sum.rss_bytes += step.sample.rss_bytes - old.rss_bytes;
    sum.time_ns = step.time_ns;
    sum.heap_max_bytes =
        sum.heap_bytes - step.sample.heap_bytes +
        std::max(step.sample.heap_max_bytes, step.sample.heap_bytes);
    old = step.sample;
    report_.timeline.push_back(sum);
  }
}

Report ReportBuilder::Finish() {
  Report& report = report_;
  if (report.processes.size() == 1) {
    report.totals.duration_ns = report.processes[0].totals.duration_ns;
    report.totals.peak_time_ns = report.processes[0].totals.peak_time_ns;
    report.timeline = std::move(timelines_[0]);
  } else if (!report.processes.empty()) {
    // Timelines go with their processes.
    std::vector<size_t> order(report.processes.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&report](size_t a, size_t b) {
      return report.processes[a].start_unix_ns < report.processes[b].start_unix_ns;
    });
    std::vector<Process> processes;
    std::vector<std::vector<Sample>> timelines;
    for (const size_t i : order) {
      processes.push_back(std::move(report.processes[i]));
      timelines.push_back(std::move(timelines_[i]));
    }
    report.processes = std::move(processes);
    timelines_ = std::move(timelines);

    const uint64_t origin = report.processes.front().start_unix_ns;
    uint64_t largest = 0;
    for (const Process& process : report.processes) {
      const uint64_t shift = process.start_unix_ns - origin;
      report.totals.duration_ns =
          std::max(report.totals.duration_ns, shift + process.totals.duration_ns);
      if (process.totals.peak_heap_bytes >= largest) {
        largest = process.totals.peak_heap_bytes;
        report.totals.peak_time_ns = shift + process.totals.peak_time_ns;
      }
    }
    for (uint32_t i = 0; i < report.sites.size(); ++i) report.sites[i].id = i + 1;
    MergeTimelines();
    report.warnings.push_back(
        "several processes: the peaks are the sum of each process's own peak, "
        "which "
        "need not have been at the same time");
  }
  if (filtered_) report.filtered = filter_;
  for (const std::string& note : book_->notes()) report.warnings.push_back(note);
  return std::move(report_);
}

}  // namespace mallogram
