#include "analyzer/scaling/runs_builder.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "analyzer/recording/process_facts.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/stacks/names.h"

namespace mallogram {

absl::string_view MetricName(Metric metric) {
  constexpr absl::string_view kNames[] = {"peak", "live", "allocated", "calls",
                                          "rss"};
  return kNames[static_cast<size_t>(metric)];
}

absl::string_view MetricText(Metric metric) {
  constexpr absl::string_view kTexts[] = {"live at the peak", "live at the end",
                                          "allocated in all", "allocations",
                                          "resident set at its largest"};
  return kTexts[static_cast<size_t>(metric)];
}

RunsBuilder::RunsBuilder(StackBook* book, SiteIdentity identity,
                         const Filters& filters)
    : book_(book), sites_(book, identity), filters_(filters) {}

void RunsBuilder::Warn(absl::string_view file, absl::string_view text) {
  for (Warning& warning : warnings_) {
    if (warning.text != text) continue;
    ++warning.count;
    return;
  }
  warnings_.push_back({std::string(text), std::string(file), 1});
}

void RunsBuilder::Accumulate(const Trace& trace, Run* run) {
  const Summary& summary = trace.summary;
  const uint64_t values[kProgramMetrics] = {
      summary.totals.peak_heap_bytes, summary.totals.live_bytes,
      summary.totals.bytes_allocated, summary.totals.allocations,
      summary.totals.peak_rss_bytes};
  for (size_t i = 0; i < kProgramMetrics; ++i) run->values[i] += values[i];
  run->sampled |= summary.sampling.interval != 0;
  book_->Begin(trace);
  for (const SiteTotals& totals : summary.sites) {
    if (filters_.active() && !book_->Selects(book_->NodeOf(totals.stack))) continue;
    std::array<uint64_t, kSiteMetrics>& sum =
        values_[sites_.SiteOf(totals.stack, totals.bytes_allocated)];
    const uint64_t more[kSiteMetrics] = {totals.peak_bytes, totals.live_bytes,
                                         totals.bytes_allocated, totals.calls};
    for (size_t i = 0; i < kSiteMetrics; ++i) sum[i] += more[i];
  }

  for (const std::string& warning : trace.warnings) Warn(trace.path, warning);
  if (!summary.detail_text.empty()) Warn(trace.path, summary.detail_text);
  if (summary.loss.events_lost != 0) {
    Warn(trace.path, "events were lost (--on-full drop): values are too small");
  }
  if (trace.still_recording) {
    Warn(trace.path, "still being recorded: values are those so far");
  } else if (summary.end == EndReason::kSignalled) {
    Warn(trace.path, absl::StrCat("the program was ", EndText(FactsOf(trace)),
                                  ": values are those so far"));
  }
}

void RunsBuilder::FinishRun(Run run) {
  for (const auto& [site, values] : values_) run.sites.push_back({site, values});
  values_.clear();
  std::sort(
      run.sites.begin(), run.sites.end(),
      [](const SiteValues& a, const SiteValues& b) { return a.site < b.site; });
  runs_.runs.push_back(std::move(run));
}

absl::Status RunsBuilder::Add(const RunFiles& files, ProgressFn progress) {
  return Add(files, progress, [](Recording&) { return absl::OkStatus(); });
}

absl::Status RunsBuilder::Add(const RunFiles& files, ProgressFn progress,
                              LookFn look) {
  ReadOptions options;
  options.blocks = filters_.blocks;
  Run run;
  run.n = files.n;
  run.rep = files.rep;
  run.file = files.name;
  for (const std::string& file : files.files) {
    absl::StatusOr<Recording> recording = Recording::Open(file);
    const absl::StatusOr<Trace> trace =
        recording.ok() ? ReadTrace(*recording, options, progress)
                       : recording.status();
    if (!trace.ok()) {
      values_.clear();
      return trace.status();
    }
    if (trace->run.parent_trace.empty()) {
      const absl::string_view program = Basename(trace->run.executable);
      if (program_.empty()) program_ = std::string(program);
      if (program != program_) {
        Warn(trace->path, absl::StrCat("of another program, ", program,
                                       ", than the first one, ", program_));
      }
    }
    Accumulate(*trace, &run);
    if (absl::Status status = look(*recording); !status.ok()) {
      values_.clear();
      return status;
    }
  }
  if (files.files.size() > 1) {
    Warn(files.name,
         "several processes: their peaks are added up, which need not have been at "
         "the same time");
  }
  if (run.sampled) {
    Warn(files.name, "sampled: bytes and counts are estimates");
  }
  FinishRun(std::move(run));
  return absl::OkStatus();
}

void RunsBuilder::AddTrace(double n, uint32_t rep, const Trace& trace) {
  Run run;
  run.n = n;
  run.rep = rep;
  run.file = trace.path;
  Accumulate(trace, &run);
  FinishRun(std::move(run));
}

Runs RunsBuilder::Finish() {
  if (filters_.active()) {
    runs_.warnings.push_back(
        absl::StrCat("filtered by ", filters_.Text(),
                     filters_.stacks.active()
                         ? ": the call sites are only part of the program's memory"
                         : ""));
  }
  for (const Warning& warning : warnings_) {
    std::string text = absl::StrCat(warning.file, ": ", warning.text);
    if (warning.count > 1) {
      absl::StrAppend(&text, " (and ", warning.count - 1, " more)");
    }
    runs_.warnings.push_back(std::move(text));
  }
  for (const std::string& note : book_->notes()) runs_.warnings.push_back(note);
  runs_.sites = sites_.TakeSites();
  return std::move(runs_);
}

}  // namespace mallogram
