#include "analyzer/scaling/scaling_command.h"

#include <algorithm>

#include "absl/strings/str_split.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/scaling/render_scaling.h"
#include "analyzer/scaling/run_files.h"
#include "analyzer/stacks/debug_options.h"
#include "analyzer/stacks/identity_words.h"

namespace mallogram {
namespace {

// How far a prediction goes if nobody says: as far as simulations have shown that
// most hold.
constexpr double kReach = 10;

constexpr absl::string_view kMetrics[] = {"peak", "live", "allocated", "calls"};

}  // namespace

std::vector<Option> ScalingRows(ScalingOptions* options) {
  std::vector<double>* const predict = &options->request.predict;
  std::vector<Option> rows = {
      {"--by", 0, "MEASURE",
       "rank and take apart by\n"
       "  peak       bytes live at the program's peak (default)\n"
       "  live       bytes live at the end\n"
       "  allocated  bytes allocated in all\n"
       "  calls      allocations",
       OneOf(kMetrics, &options->request.by, MeasureWord)},
      {"--sites", 0, "IDENTITY",
       "what is one call site\n"
       "  stack      a call stack, with lines (default)\n"
       "  names      its functions only: compares rebuilds\n"
       "  line       the innermost line of your own\n"
       "  function   the innermost function of your own",
       OneOf(kIdentityWords, &options->identity)},
      {"--predict", 0, "N,...",
       "the sizes to predict; the largest is the target (by default\n"
       "ten times the largest measured)",
       [predict](absl::string_view name, absl::string_view value) {
         for (const absl::string_view part : absl::StrSplit(value, ',')) {
           const absl::StatusOr<double> n = ParseSize(name, part);
           if (!n.ok()) return n.status();
           predict->push_back(*n);
         }
         return absl::OkStatus();
       }},
      {"--budget", 0, "BYTES",
       "the largest n whose upper bound stays within; 100MB = 10^8,\n"
       "100MiB = 100 * 2^20",
       Bytes(&options->request.budget)},
      {"--top", 0, "N",
       "show N call sites (default 20, if above a thousandth;\n"
       "0: all)",
       Number(&options->top)},
      {"--depth", 0, "N", "show N callers of each (default 2)",
       Number(&options->depth)},
      {"--full-names", 0, "",
       "functions with all arguments, files with directories",
       Store(&options->full_names)},
      {"--json", 0, "", "one JSON object, described by fit.schema.json",
       Store(&options->json)}};
  Append(DebugRows(&options->debug_dir), &rows);
  Append(TerminalRows(), &rows);
  return rows;
}

absl::Status ReportScaling(const std::vector<RunFiles>& files,
                           const ScalingOptions& options) {
  constexpr uint64_t kPerRun = 1000;
  StackBook book(SameLocation::kByText, options.debug_dir, options.filters.stacks);
  RunsBuilder builder(&book, options.identity, options.filters);
  ProgressBar bar("reading");
  uint64_t before = 0;
  for (const RunFiles& run : files) {
    const absl::Status added = builder.Add(run, [&](uint64_t done, uint64_t total) {
      if (total == 0) return;
      const double share = static_cast<double>(done) / static_cast<double>(total);
      bar.Update(before + static_cast<uint64_t>(share * kPerRun),
                 files.size() * kPerRun);
    });
    if (!added.ok()) return added;
    before += kPerRun;
  }
  const Runs runs = builder.Finish();
  bar.Clear();

  ScalingRequest request = options.request;
  if (request.predict.empty()) {
    double largest = 0;
    for (const Run& run : runs.runs) largest = std::max(largest, run.n);
    request.predict.push_back(kReach * largest);
  }
  const Scaling scaling = AnalyzeScaling(runs, request);
  ReportFile out(options.output);
  if (options.json) {
    out.Write(
        RenderScalingJson(scaling, runs.sites, options.parameter, request.budget));
    return out.Close();
  }
  ScalingTextOptions text;
  text.style = out.style();
  text.parameter = options.parameter;
  text.budget = request.budget;
  if (options.top.has_value()) {
    text.top = *options.top;
    text.least_shown = 0;
  }
  text.depth = options.depth;
  text.full_names = options.full_names;
  out.Write(RenderScalingText(scaling, runs.sites, text));
  return out.Close();
}

}  // namespace mallogram
