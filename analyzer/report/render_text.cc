// The text report, but for the call sites (render_sites.cc). Order: what it was,
// the totals, whether they can be trusted, the course over time, where the memory
// is, and last what the recording itself cost.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "analyzer/command/format.h"
#include "analyzer/command/text_writer.h"
#include "analyzer/recording/estimate.h"
#include "analyzer/report/render.h"
#include "analyzer/report/render_sites.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

constexpr size_t kLabel = 16, kNumber = 11;  // columns
constexpr size_t kCurveLabel = 8, kCurveMax = 12;

std::string Share(uint64_t part, uint64_t whole) {
  return FormatPercent(
      whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole));
}

// "  Peak heap        12.3 MiB   at 0.93 s"
void Row(TextWriter* out, absl::string_view label, absl::string_view value,
         absl::string_view rest) {
  out->Line("  ", PadRight(label, kLabel), out->Bold(PadLeft(value, kNumber)),
            rest.empty() ? "" : "   ", rest);
}

// One line, and not a screenful: scripts come as arguments.
std::string CommandText(const std::vector<std::string>& argv,
                        const TextWriter& out) {
  constexpr size_t kMost = 300;
  const std::string line = JoinCommand(argv);
  const std::string text = out.Safe(absl::StrReplaceAll(
      absl::string_view(line).substr(0, kMost), {{"\n", " "}, {"\t", " "}}));
  return line.size() <= kMost ? text : absl::StrCat(text, "…");
}

void WriteHeader(const Report& report, Measure by, TextWriter* out) {
  const Process& first = report.processes.front();
  if (report.merged()) {
    out->Line(out->Bold("mallogram report"), "   ",
              Plural(report.processes.size(), "process"));
  } else {
    out->Line(out->Bold("mallogram report"), "   ", CommandText(first.argv, *out));
  }
  std::string line;
  if (!report.merged()) line = absl::StrCat("pid ", first.pid, " ");
  absl::StrAppend(&line, "on ", first.host.empty() ? "unknown host" : first.host,
                  ", ", FormatTime(first.start_unix_ns), ", ran ",
                  FormatSeconds(Seconds(report.totals.duration_ns)));
  std::string end;
  if (!report.merged()) {
    end = EndText(first);
  }
  const bool bad = first.end == EndReason::kSignalled ||
                   first.end == EndReason::kDetached ||
                   (first.end == EndReason::kExited && first.end_detail > 0);
  out->Line(out->Dim(out->Safe(line)), end.empty() ? "" : out->Dim(", "),
            bad ? out->Yellow(out->Safe(end)) : out->Dim(out->Safe(end)));
  if (report.sampled()) {
    out->Line(out->Yellow(absl::StrCat(
        "Sampled: one in ", FormatBytes(report.sampling.interval), ", ",
        Plural(report.sampling.totals.allocated.samples, "block"),
        "; all figures are estimates, with 95 % intervals")));
  }
  if (report.filtered.has_value()) {
    const uint64_t shown = ValueOf(report.filtered->shown, by),
                   all = ValueOf(report.filtered->all, by);
    out->Line(out->Yellow(absl::StrCat(
        "Filtered: ", out->Safe(report.filtered->words), ": ", Share(shown, all),
        " of ", MeasureValue(all, by), " ", MeasureText(by))));
  }
  for (const std::string& warning : report.warnings) {
    out->Line(out->Yellow(absl::StrCat("! ", out->Safe(warning))));
  }
}

// Of a sampled recording, in front of what else a row says: "50 MiB to 70 MiB; ".
std::string Range(const Report& report, const Estimate& sum) {
  if (!report.sampled()) return "";
  const Interval interval = BytesInterval(sum, report.sampling.interval);
  return absl::StrCat(FormatByteRange(interval.low, interval.high), "; ");
}

void WriteTotals(const Report& report, TextWriter* out) {
  const Totals& totals = report.totals;
  const SiteEstimate& sums = report.sampling.totals;
  out->Line();
  Row(out, report.merged() ? "Peaks of heap" : "Peak heap",
      FormatBytes(totals.peak_heap_bytes),
      report.merged()
          ? absl::StrCat(Range(report, sums.peak), "sum of each process's own, in ",
                         Plural(totals.peak_heap_blocks, "block"))
          : absl::StrCat(Range(report, sums.peak), "in ",
                         Plural(totals.peak_heap_blocks, "block"), ", ",
                         FormatSeconds(Seconds(totals.peak_time_ns)),
                         " after the start"));
  if (totals.peak_rss_bytes != 0) {
    Row(out, report.merged() ? "Peaks of RSS" : "Peak RSS",
        FormatBytes(totals.peak_rss_bytes), "");
  }
  const bool running = report.processes.front().still_recording;
  Row(out, running ? "Alive so far" : "Alive at the end",
      FormatBytes(totals.live_bytes),
      absl::StrCat(Range(report, sums.live), "in ",
                   Plural(totals.live_blocks, "block")));
  const double duration = Seconds(totals.duration_ns);
  std::string allocated = absl::StrCat(Range(report, sums.allocated), "by ",
                                       Plural(totals.allocations, "call"));
  if (totals.allocations != 0) {
    if (duration > 0) {
      absl::StrAppend(&allocated, ", ",
                      FormatCount(static_cast<uint64_t>(
                          static_cast<double>(totals.allocations) / duration)),
                      " a second");
    }
    absl::StrAppend(&allocated, ", ",
                    FormatBytes(totals.bytes_allocated / totals.allocations),
                    " on average");
  }
  Row(out, "Allocated", FormatBytes(totals.bytes_allocated), allocated);
  if (report.sampled()) return;  // it cannot tell the rest
  Row(out, "Reallocations", FormatCount(totals.reallocations),
      totals.reallocations == 0
          ? ""
          : absl::StrCat(Share(totals.reallocations, totals.allocations),
                         " of the calls"));
  Row(out, "Temporary", FormatCount(totals.temporary),
      totals.temporary == 0
          ? ""
          : absl::StrCat(Share(totals.temporary, totals.allocations),
                         " of the calls: freed before their thread's next one"));
}

// What the figures can be trusted for.
void WriteLoss(const Report& report, TextWriter* out) {
  const Loss& loss = report.loss;
  std::string what;
  if (loss.events_lost != 0) {
    what = out->Red(absl::StrCat(Plural(loss.events_lost, "event"), " lost (",
                                 FormatBytes(loss.bytes_lost),
                                 "): the figures are too low"));
  } else if (loss.damaged_chunks != 0) {
    what = out->Red(Plural(loss.damaged_chunks, "damaged chunk"));
  } else {
    what = out->Green("nothing lost");
  }
  std::vector<std::string> notes;
  if (loss.truncated_stacks != 0) {
    notes.push_back(
        absl::StrCat(Plural(loss.truncated_stacks, "call stack"), " cut short"));
  }
  if (report.totals.unknown_frees != 0) {
    notes.push_back(absl::StrCat(Plural(report.totals.unknown_frees, "free"),
                                 " of blocks from before the recording"));
  }
  if (loss.order_violations != 0) {
    notes.push_back(out->Red(
        absl::StrCat(Plural(loss.order_violations, "event"), " out of order")));
  }
  for (const std::string& note : notes) absl::StrAppend(&what, "; ", note);
  out->Line("  ", PadRight("Recording", kLabel), "   ", what);
}

void WriteCurve(const TextInput& input, TextWriter* out) {
  const Curve& curve = input.curve;
  if (curve.heap.empty()) return;
  out->Line();
  const auto row = [&](absl::string_view label, const std::vector<uint64_t>& values,
                       uint64_t max) {
    out->Line("  ", PadRight(label, kCurveLabel - 2),
              out->Cyan(Sparkline(values, max, out->utf8())),
              PadLeft(FormatBytes(max), kCurveMax));
  };
  row("heap", curve.heap, curve.heap_max);
  if (curve.rss_max != 0) row("RSS", curve.rss, curve.rss_max);
  // Ticks at both ends and in the middle.
  const double duration = Seconds(input.report.totals.duration_ns);
  const std::string middle = FormatSeconds(duration / 2),
                    end = FormatSeconds(duration);
  const size_t columns = curve.heap.size();
  std::string axis = PadRight("0 s", columns / 2 - DisplayWidth(middle) / 2);
  axis = PadRight(absl::StrCat(axis, middle), columns - DisplayWidth(end));
  out->Line(std::string(kCurveLabel, ' '), out->Dim(absl::StrCat(axis, end)));
}

void WriteProcesses(const Report& report, TextWriter* out) {
  if (!report.merged()) return;
  out->Heading("Processes");
  out->Line(out->Dim(absl::StrCat(
      "  ", PadRight("program", 20), PadLeft("pid", 9), PadLeft("peak heap", 12),
      PadLeft("live", 12), PadLeft("calls", 14), PadLeft("ran", 10), "   file")));
  for (const Process& process : report.processes) {
    const std::string program =
        process.program.empty() ? "?" : out->Safe(process.program);
    out->Line(
        "  ", PadRight(program, 20), PadLeft(absl::StrCat(process.pid), 9),
        PadLeft(FormatBytes(process.totals.peak_heap_bytes), 12),
        PadLeft(FormatBytes(process.totals.live_bytes), 12),
        PadLeft(FormatCount(process.totals.allocations), 14),
        PadLeft(FormatSeconds(Seconds(process.totals.duration_ns)), 10), "   ",
        out->Safe(process.file),
        process.end == EndReason::kExited && process.end_detail == 0
            ? ""
            : out->Dim(absl::StrCat("  (", out->Safe(EndText(process)), ")")));
  }
}

// Buckets `first` to `last`: "16–31 B"; from 1 KiB on the lower bound: "64 KiB–".
std::string SizeLabel(int first, int last) {
  if (first == 0) return "0 B";
  const uint64_t low = uint64_t{1} << (first - 1);
  if (low < 1024) {
    return absl::StrCat(low, "–", (uint64_t{1} << last) - 1, " B");
  }
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  const int power = first - 1 - 10;
  return absl::StrCat(uint64_t{1} << power % 10, " ", kUnits[power / 10], "–");
}

void WriteSizes(const Report& report, TextWriter* out) {
  if (report.totals.allocations == 0) return;
  out->Heading("Block sizes");
  const size_t bar_width = BarWidth(out->style());
  out->Line(out->Dim(absl::StrCat(PadLeft("size", 12), PadLeft("calls", 14), "  ",
                                  PadRight("", bar_width), PadLeft("bytes", 11),
                                  PadLeft("alive at end", 14),
                                  PadLeft("temporary", 12))));
  // Sizes 1 to 7 are one row.
  constexpr int kFirstWide = 3;
  for (int i = 0; i < kSizeBuckets && i < static_cast<int>(report.sizes.size());
       ++i) {
    SizeClass row = report.sizes[static_cast<size_t>(i)];
    const int first = i;
    if (i == 1) {
      for (; i < kFirstWide; ++i) {
        const SizeClass& next = report.sizes[static_cast<size_t>(i) + 1];
        row.calls += next.calls;
        row.bytes += next.bytes;
        row.live_bytes += next.live_bytes;
        row.temporary += next.temporary;
      }
    }
    if (row.calls == 0) continue;
    const double share = static_cast<double>(row.calls) /
                         static_cast<double>(report.totals.allocations);
    out->Line(
        PadLeft(SizeLabel(first, i), 12), PadLeft(FormatCount(row.calls), 14), "  ",
        out->Cyan(Bar(share, bar_width, out->utf8())),
        PadLeft(FormatBytes(row.bytes), 11),
        PadLeft(row.live_bytes == 0 ? "" : FormatBytes(row.live_bytes), 14),
        PadLeft(row.temporary == 0 ? "" : Share(row.temporary, row.calls), 12));
  }
}

// D7: the tool's own cost.
void WriteSelf(const TextInput& input, TextWriter* out) {
  const SelfReport& self = input.report.self;
  const Loss& loss = input.report.loss;
  out->Heading("Cost of the recording");
  std::string events;
  if (self.events != 0) {
    events = absl::StrFormat("%.2f B each in the file (%s of %s)",
                             static_cast<double>(self.event_file_bytes) /
                                 static_cast<double>(self.events),
                             FormatBytes(self.event_file_bytes),
                             FormatBytes(self.file_bytes));
  }
  Row(out, "Events", FormatCount(self.events), events);
  if (self.walks != 0) {
    Row(out, "Stack walks", FormatCount(self.walks),
        absl::StrFormat("%.2f frames walked each, %s by slow rules",
                        static_cast<double>(self.frames_walked) /
                            static_cast<double>(self.walks),
                        FormatCount(self.full_walks)));
  }
  Row(out, "Stack nodes", FormatCount(self.stack_nodes),
      absl::StrCat("of ", Plural(self.sites, "call stack"), " in ",
                   Plural(self.threads, "thread")));
  Row(out, "Waited", FormatSeconds(Seconds(loss.wait_ns)),
      loss.events_waited == 0
          ? "no thread met a full ring"
          : absl::StrCat("for a full ring, ", Plural(loss.events_waited, "time")));
  if (self.image_bytes + self.private_bytes != 0) {
    Row(out, "Memory", FormatBytes(self.image_bytes + self.private_bytes),
        absl::StrCat("in the program, and ", FormatBytes(self.collector_rss_bytes),
                     " in the collector"));
  }
  if (self.collector_cpu_ns != 0) {
    Row(out, "Collector", FormatSeconds(Seconds(self.collector_cpu_ns)),
        "of CPU time, outside the program");
  }
  if (self.verify_checked != 0) {
    Row(out, "Verified", FormatCount(self.verify_checked),
        "walks compared with libunwind: the times above are not those of a "
        "recording");
  }
  if (self.walks == 0) {
    Row(out, "Slowdown", "unknown", "not measured");
  } else if (input.cost.slowdown == 0) {
    Row(out, "Added", absl::StrCat("~", FormatSeconds(input.cost.added_s)),
        "of CPU time over all threads; an estimate, not measured");
  } else {
    Row(out, "Slowdown", absl::StrFormat("~%.2fx", input.cost.slowdown),
        absl::StrCat("about ", FormatSeconds(input.cost.added_s),
                     " added; an estimate, not measured"));
  }
}

}  // namespace

absl::string_view MeasureText(Measure by) {
  switch (by) {
    case Measure::kPeak:
      return "bytes at the peak";
    case Measure::kLive:
      return "bytes alive at the end";
    case Measure::kAllocated:
      return "bytes allocated";
    case Measure::kCalls:
      return "calls";
    case Measure::kTemporary:
      return "temporary allocations";
  }
  return "";
}

std::string MeasureValue(uint64_t value, Measure by) {
  return by == Measure::kCalls || by == Measure::kTemporary ? FormatCount(value)
                                                            : FormatBytes(value);
}

size_t CurveColumns(const Style& style) {
  return style.width - kCurveLabel - kCurveMax;
}

std::string RenderReport(const TextInput& input, const TextOptions& options) {
  TextWriter out(options.style, options.full_names);
  WriteHeader(input.report, options.by, &out);
  WriteTotals(input.report, &out);
  WriteLoss(input.report, &out);
  WriteCurve(input, &out);
  WriteProcesses(input.report, &out);
  if (options.tree) {
    WriteTree(input, options, &out);
  } else {
    WriteTopSites(input, options, &out);
  }
  WriteSizes(input.report, &out);
  WriteSelf(input, &out);
  return out.Take();
}

}  // namespace mallogram
