#include "analyzer/report/report_command.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/report/analyses.h"
#include "analyzer/report/render.h"
#include "analyzer/report/report_builder.h"
#include "analyzer/stacks/debug_options.h"
#include "analyzer/stacks/filters.h"
#include "analyzer/stacks/identity_words.h"

namespace mallogram {
namespace {

// Defaults that fit a screen or two; every one has an option.
constexpr double kTreeMinimum = 0.01, kTopMinimum = 0.001;
constexpr size_t kDefaultTop = 10, kDefaultDepth = 8, kDefaultTreeDepth = 80;

struct ReportOptions {
  std::vector<std::string> paths;
  TextOptions text;
  bool json = false;
  std::string debug_dir, output;
  std::optional<uint64_t> top, depth;
  std::optional<SiteIdentity> sites;
  Filters filters;
};

constexpr absl::string_view kMeasures[] = {"peak", "live", "allocated", "calls",
                                           "temporary"};

constexpr char kReportHead[] = R"(Usage: mallogram report [OPTIONS] FILE...

Shows what a recording holds: totals, heap and RSS over time, the call sites that
matter most, sizes of blocks, and what the recording cost. Several FILEs, or a
directory, are merged. A recording that is still going on can be looked at.

Options:
)";

constexpr char kReportTail[] = R"(
Functions of the allocator and of the standard library at the inner end of a
stack are folded into the line "through ...", so that the first function shown is
your own.

Examples:
  mallogram report xmllint.4711.mgram
  mallogram report --by live --depth 20 server.*.mgram
  mallogram report --tree --by calls run.mgram
  mallogram report --hide '^(xmalloc|jv_mem_alloc)$' --focus Parse run.mgram
  mallogram report --json run.mgram | jq '.frames[.sites[0].stack[0]]'
)";

std::vector<Option> ReportRows(ReportOptions* options) {
  std::vector<Option> rows = {
      {"--by", 0, "MEASURE",
       "rank call sites by\n"
       "  peak       bytes held when the heap was largest (default)\n"
       "  live       bytes alive at the end\n"
       "  allocated  bytes allocated in all\n"
       "  calls      calls of allocation functions\n"
       "  temporary  blocks freed before their thread's next\n"
       "             allocation",
       OneOf(kMeasures, &options->text.by, MeasureWord)},
      {"--top", 0, "N", "show N call sites (default 10; JSON: all)",
       Number(&options->top)},
      {"--depth", 0, "N", "show N callers of each (default 8; 0: all)",
       Number(&options->depth)},
      {"--sites", 0, "IDENTITY",
       "what is one call site: stack, names (of its functions),\n"
       "line (the innermost of your own; default), function",
       OneOf(kIdentityWords, &options->sites)},
      {"--tree", 0, "",
       "show a call tree from main() inwards instead; branches\n"
       "below 1 % are cut",
       Store(&options->text.tree)},
      {"--full-names", 0, "",
       "functions with all arguments, files with directories",
       Store(&options->text.full_names)},
      OutputRow(&options->output),
      {"--json", 0, "", "one JSON object, described by report.schema.json",
       Store(&options->json)}};
  Append(DebugRows(&options->debug_dir), &rows);
  Append(TerminalRows(), &rows);
  return rows;
}

absl::StatusOr<ReportOptions> ParseReport(Arguments arguments) {
  ReportOptions options;
  std::vector<Option> rows = ReportRows(&options);
  Append(FilterRows(&options.filters), &rows);
  absl::StatusOr<Words> words = ParseOptions(arguments, rows);
  if (!words.ok()) return words.status();
  options.paths = std::move(words->operands);
  if (options.paths.empty())
    return UsageError("report needs a FILE or a directory");
  if (options.json && options.text.tree) {
    return UsageError("--tree is for text: leave out --json or --tree");
  }
  if (options.sites.has_value() && (options.json || options.text.tree)) {
    return UsageError(
        "--sites is for the call sites of the text: leave out --json or --tree");
  }
  return options;
}

// A broken file among several is left out and named; alone, it is the error.
absl::StatusOr<Report> BuildReport(const ReportOptions& options,
                                   const std::vector<std::string>& files,
                                   StackBook* book) {
  // One trace in memory at a time: a directory may hold hundreds.
  ReportBuilder builder(book);
  ProgressBar bar("reading");
  const auto progress = [&bar](uint64_t done, uint64_t total) {
    bar.Update(done, total);
  };
  ReadOptions read;
  read.blocks = options.filters.blocks;
  std::vector<std::string> left_out;
  absl::Status last;
  for (const std::string& file : files) {
    bar.SetLabel("reading");
    absl::StatusOr<Trace> trace = ReadTrace(file, read, progress);
    if (!trace.ok()) {
      last = trace.status();
      if (files.size() == 1 || absl::IsNotFound(last)) return last;
      left_out.push_back(absl::StrCat("left out: ", last.message()));
      continue;
    }
    bar.SetLabel("naming call stacks");
    builder.Add(*trace, progress);
  }
  if (left_out.size() == files.size()) return last;
  Report report = builder.Finish();
  if (report.filtered.has_value()) report.filtered->words = options.filters.Text();
  report.warnings.insert(report.warnings.end(), left_out.begin(), left_out.end());
  return report;
}

struct InfoOptions {
  ReadOptions read;
  bool json = false;
  std::string output;
};

constexpr char kInfoHead[] = R"(Usage: mallogram info [OPTIONS] FILE...

Shows what a recording is: host, command, time and end of the program, its
modules and threads, and the parts of the file.

Options:
)";

constexpr char kInfoTail[] = R"(
Example:
  mallogram info --check xmllint.4711.mgram
)";

std::vector<Option> InfoRows(InfoOptions* options) {
  std::vector<Option> rows = {
      {"--check", 0, "", "read the whole file and verify every checksum",
       Store(&options->read.check)},
      OutputRow(&options->output),
      {"--json", 0, "", "one JSON object, described by info.schema.json",
       Store(&options->json)}};
  Append(TerminalRows(), &rows);
  return rows;
}

}  // namespace

std::string ReportHelp() {
  ReportOptions none;
  return absl::StrCat(kReportHead, DescribeOptions(ReportRows(&none)), FilterHelp(),
                      kReportTail);
}

std::string InfoHelp() {
  InfoOptions none;
  return absl::StrCat(kInfoHead, DescribeOptions(InfoRows(&none)), kInfoTail);
}

absl::StatusOr<int> RunReport(Arguments arguments) {
  absl::StatusOr<ReportOptions> options = ParseReport(arguments);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::vector<std::string>> files = FindTraces(options->paths);
  if (!files.ok()) return files.status();
  StackBook book(options->json ? SameLocation::kByAddress : SameLocation::kByText,
                 options->debug_dir, options->filters.stacks);
  absl::StatusOr<Report> built = BuildReport(*options, *files, &book);
  if (!built.ok()) return built.status();
  const Report& report = *built;
  if (report.sampled() && options->text.by == Measure::kTemporary) {
    return UsageError("--by temporary: a sampled recording cannot tell");
  }

  ReportFile out(options->output);
  if (options->json) {
    RenderReportJson(report, book, EstimateCost(report), options->text.by,
                     options->top.value_or(0),
                     [&out](absl::string_view piece) { out.Write(piece); });
    return ExitAfter(out.Close());
  }
  // Beyond this point names and sums are fixed: what follows ranks, groups, prints.
  TextOptions text = options->text;
  text.style = out.style();
  TextInput input{report, book, {}, {}, {}, EstimateCost(report)};
  if (text.tree) {
    input.tree = BuildCallTree(report, book, text.by, kTreeMinimum,
                               options->depth.value_or(kDefaultTreeDepth));
  } else {
    input.top = FindTopSites(report, book, text.by,
                             options->sites.value_or(SiteIdentity::kLine),
                             options->top.value_or(kDefaultTop),
                             options->top.has_value() ? 0 : kTopMinimum,
                             options->depth.value_or(kDefaultDepth));
  }
  input.curve = Resample(report.timeline, report.totals.duration_ns,
                         CurveColumns(text.style));
  out.Write(RenderReport(input, text));
  return ExitAfter(out.Close());
}

absl::StatusOr<int> RunInfoVerb(Arguments arguments) {
  InfoOptions options;
  options.read.chunk_stats = true;
  const absl::StatusOr<Words> words = ParseOptions(arguments, InfoRows(&options));
  if (!words.ok()) return words.status();
  const std::vector<std::string>& paths = words->operands;
  if (paths.empty()) return UsageError("info needs a FILE");
  if (options.json && paths.size() > 1) return UsageError("--json takes one FILE");
  ReportFile out(options.output);
  for (size_t i = 0; i < paths.size(); ++i) {
    ProgressBar bar("reading");
    absl::StatusOr<Trace> trace = ReadTrace(
        paths[i], options.read,
        [&bar](uint64_t done, uint64_t total) { bar.Update(done, total); });
    if (!trace.ok()) return trace.status();
    bar.Clear();
    if (i != 0) out.Write("\n");
    out.Write(options.json ? RenderInfoJson(*trace)
                           : RenderInfo(*trace, out.style()));
  }
  return ExitAfter(out.Close());
}

}  // namespace mallogram
