#include "analyzer/launcher/record_summary.h"

#include <string.h>
#include <sys/wait.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/format.h"
#include "analyzer/recording/estimate.h"
#include "analyzer/recording/process_facts.h"

namespace mallogram {
namespace {

constexpr size_t kNamedChildren = 3;

// Title bold, labels dim, trouble red; plain text without colours.
class Lines {
 public:
  explicit Lines(bool color) : color_(color) {}
  void Title(absl::string_view text) { End("1", text); }
  void Line(absl::string_view label, absl::string_view text, bool trouble = false) {
    absl::StrAppend(&out_, "  ");
    Paint("2", PadRight(label, 12));
    End(trouble ? "31" : "", text);
  }
  std::string Take() { return std::move(out_); }

 private:
  void Paint(absl::string_view code, absl::string_view text) {
    if (!color_ || code.empty()) {
      absl::StrAppend(&out_, text);
    } else {
      absl::StrAppend(&out_, "\x1b[", code, "m", text, "\x1b[0m");
    }
  }
  void End(absl::string_view code, absl::string_view text) {
    Paint(code, text);
    out_ += '\n';
  }

  const bool color_;
  std::string out_;
};

// " (1.0 MiB to 1.3 MiB)" of a sampled recording.
std::string Range(const Sampling& sampling, const Estimate& sum) {
  if (sampling.interval == 0) return "";
  const Interval bytes = BytesInterval(sum, sampling.interval);
  return absl::StrCat(" (", FormatByteRange(bytes.low, bytes.high), ")");
}

std::string LossLine(const Loss& loss) {
  std::string line = absl::StrCat(FormatCount(loss.events_lost), " events lost");
  if (loss.events_waited > 0) {
    absl::StrAppend(&line, ", ", FormatCount(loss.events_waited),
                    " waited for the collector (",
                    FormatSeconds(Seconds(loss.wait_ns)), ")");
  }
  if (loss.truncated_stacks > 0) {
    absl::StrAppend(&line, ", ", FormatCount(loss.truncated_stacks),
                    " with incomplete stacks");
  }
  if (loss.order_violations > 0) {
    absl::StrAppend(&line, ", ", FormatCount(loss.order_violations),
                    " out of order");
  }
  return line;
}

std::string ChildrenLine(const RecordingReport& report) {
  const std::string unrecorded =
      report.unrecorded.empty() ? "" : absl::StrCat("; ", report.unrecorded);
  if (report.other_processes == 0) {
    return absl::StrCat("no other process recorded", unrecorded);
  }
  std::string line =
      absl::StrCat(FormatCount(report.other_processes),
                   report.other_processes == 1 ? " more process recorded: "
                                               : " more processes recorded: ");
  size_t named = 0;
  for (const FinishedFile& file : report.others) {
    if (file.path.empty()) continue;
    if (named == kNamedChildren) break;
    absl::StrAppend(&line, named == 0 ? "" : ", ", Printable(file.path, false));
    ++named;
  }
  if (named < report.other_processes - report.troubled)
    absl::StrAppend(&line, " ...");
  return absl::StrCat(line, unrecorded);
}

}  // namespace

std::string DescribeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status))
    return absl::StrCat("was killed by ", SignalName(WTERMSIG(wait_status)));
  return absl::StrCat("exited with ", WEXITSTATUS(wait_status));
}

std::string FormatRecordSummary(const RecordingReport& report,
                                const SummaryContext& context) {
  const Totals& totals = report.summary.totals;
  const Loss& loss = report.summary.loss;
  Lines lines(context.color);
  lines.Title(absl::StrCat("mallogram: ", Printable(context.program, false),
                           " (pid ", report.main.pid, ") ",
                           DescribeEnd(context.wait_status), " after ",
                           FormatSeconds(Seconds(totals.duration_ns))));
  const Sampling& sampling = report.summary.sampling;
  const bool sampled = sampling.interval != 0;
  if (sampled) {
    lines.Line("sampled",
               absl::StrCat("one in ", FormatBytes(sampling.interval), ", ",
                            Plural(sampling.totals.allocated.samples, "block"),
                            "; estimates with 95 % intervals"));
  }
  std::string calls = absl::StrCat(Plural(totals.allocations, "allocation"), ", ",
                                   Plural(totals.frees, "free"));
  if (!sampled) {
    absl::StrAppend(&calls, ", ", Plural(totals.reallocations, "reallocation"));
  }
  lines.Line("calls", calls);
  lines.Line("allocated",
             absl::StrCat(FormatBytes(totals.bytes_allocated),
                          Range(sampling, sampling.totals.allocated), " in all"));
  lines.Line("peak heap",
             absl::StrCat(FormatBytes(totals.peak_heap_bytes),
                          Range(sampling, sampling.totals.peak), " in ",
                          Plural(totals.peak_heap_blocks, "block"), " after ",
                          FormatSeconds(Seconds(totals.peak_time_ns))));
  lines.Line("live at end",
             absl::StrCat(FormatBytes(totals.live_bytes),
                          Range(sampling, sampling.totals.live), " in ",
                          Plural(totals.live_blocks, "block")));
  const double share = totals.allocations == 0
                           ? 0
                           : static_cast<double>(totals.temporary) /
                                 static_cast<double>(totals.allocations);
  if (!sampled) {
    lines.Line(
        "temporary",
        absl::StrCat(FormatCount(totals.temporary), " (", FormatPercent(share),
                     ") freed before the thread's next allocation"));
  }
  lines.Line("loss", LossLine(loss), loss.events_lost + loss.order_violations > 0);
  // What the program started is said of all processes, below.
  if (!report.summary.detail_text.empty() &&
      report.summary.detail_text != report.unrecorded) {
    lines.Line("note", Printable(report.summary.detail_text, false), true);
  }
  lines.Line("children", ChildrenLine(report));
  lines.Line("trace", absl::StrCat(Printable(report.main.path, false), " (",
                                   FormatBytes(context.file_bytes), ")"));
  lines.Line("next", JoinCommand({"mallogram", "report", report.main.path}));
  return lines.Take();
}

}  // namespace mallogram
