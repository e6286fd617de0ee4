#include "analyzer/report/report_command.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/terminal.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/report/analyses.h"
#include "analyzer/report/render.h"
#include "analyzer/report/report_builder.h"

namespace mallogram {
namespace {

// Defaults that fit a screen or two; every one has an option.
constexpr double kTreeMinimum = 0.01, kTopMinimum = 0.001;
constexpr size_t kDefaultTop = 10, kDefaultDepth = 8, kDefaultTreeDepth = 80;

struct ReportOptions {
  std::vector<std::string> paths;
  TextOptions text;
  bool json = false;
  std::string debug_dir;
  uint64_t top = 0, depth = 0;
  bool top_set = false, depth_set = false;
};

absl::StatusOr<Measure> ParseMeasure(absl::string_view word) {
  constexpr absl::string_view kWords[] = {"peak", "live", "allocated", "calls",
                                          "temporary"};
  for (size_t i = 0; i < std::size(kWords); ++i) {
    if (MeasureWord(word) == kWords[i]) return static_cast<Measure>(i);
  }
  return UsageError(absl::StrCat("--by takes ", absl::StrJoin(kWords, ", "),
                                 "; not \"", word, "\"", DidYouMean(word, kWords)));
}

absl::StatusOr<ReportOptions> ParseReport(int argc, char** argv) {
  constexpr OptionSpec kSpecs[] = {
      {"--by", true}, {"--top", true}, {"--depth", true}, {"--debug-dir", true},
      {"--tree"},     {"--json"},      {"--full-names"}};
  absl::StatusOr<ParsedArguments> parsed = ParseArguments(
      absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)), kSpecs);
  if (!parsed.ok()) return parsed.status();
  ReportOptions options;
  for (const ParsedArguments::Option& option : parsed->options) {
    absl::Status status;
    if (option.name == "--by") {
      absl::StatusOr<Measure> by = ParseMeasure(option.value);
      if (by.ok()) options.text.by = *by;
      status = by.status();
    } else if (option.name == "--top" || option.name == "--depth") {
      absl::StatusOr<uint64_t> number = ParseNumber(option.name, option.value);
      status = number.status();
      const bool is_top = option.name == "--top";
      if (number.ok()) (is_top ? options.top : options.depth) = *number;
      (is_top ? options.top_set : options.depth_set) = true;
    } else if (option.name == "--debug-dir") {
      options.debug_dir = option.value;
    } else if (option.name == "--tree") {
      options.text.tree = true;
    } else if (option.name == "--json") {
      options.json = true;
    } else {
      options.text.full_names = true;
    }
    if (!status.ok()) return status;
  }
  options.paths = std::move(parsed->operands);
  if (options.paths.empty())
    return UsageError("report needs a FILE or a directory");
  if (options.json && options.text.tree) {
    return UsageError("--tree is for text: leave out --json or --tree");
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
  std::vector<std::string> left_out;
  absl::Status last;
  for (const std::string& file : files) {
    bar.SetLabel("reading");
    absl::StatusOr<Trace> trace = ReadTrace(file, ReadOptions(), progress);
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
  report.warnings.insert(report.warnings.end(), left_out.begin(), left_out.end());
  return report;
}

absl::Status Flush() {
  if (fflush(stdout) != 0 || ferror(stdout) != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot write to standard output: ", strerror(errno)));
  }
  return absl::OkStatus();
}

void Print(absl::string_view text) { fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

absl::StatusOr<std::vector<std::string>> FindTraces(
    const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (fs::directory_iterator at(path, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().extension() == kTraceSuffix)
        found.push_back(at->path().string());
    }
    if (error) {
      return absl::PermissionDeniedError(
          absl::StrCat(path, ": cannot be listed: ", error.message()));
    }
    if (found.empty()) {
      return absl::NotFoundError(
          absl::StrCat(path, ": no ", kTraceSuffix, " file in this directory"));
    }
    absl::c_sort(found);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

absl::Status RunReport(int argc, char** argv) {
  absl::StatusOr<ReportOptions> options = ParseReport(argc, argv);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::vector<std::string>> files = FindTraces(options->paths);
  if (!files.ok()) return files.status();
  StackBook book(options->json ? SameLocation::kByAddress : SameLocation::kByText,
                 options->debug_dir);
  absl::StatusOr<Report> built = BuildReport(*options, *files, &book);
  if (!built.ok()) return built.status();
  const Report& report = *built;
  if (report.sampled() && options->text.by == Measure::kTemporary) {
    return UsageError("--by temporary: a sampled recording cannot tell");
  }

  if (options->json) {
    RenderReportJson(report, book, EstimateCost(report), options->text.by,
                     options->top, Print);
    return Flush();
  }
  // Beyond this point names and sums are fixed: what follows ranks, groups, prints.
  TextOptions text = options->text;
  text.style = DetectStyle();
  TextInput input{report, book, {}, {}, {}, EstimateCost(report)};
  if (text.tree) {
    input.tree =
        BuildCallTree(report, book, text.by, kTreeMinimum,
                      options->depth_set ? options->depth : kDefaultTreeDepth);
  } else {
    input.top = FindTopSites(report, book, text.by,
                             options->top_set ? options->top : kDefaultTop,
                             options->top_set ? 0 : kTopMinimum,
                             options->depth_set ? options->depth : kDefaultDepth);
  }
  input.curve = Resample(report.timeline, report.totals.duration_ns,
                         CurveColumns(text.style));
  Print(RenderReport(input, text));
  return Flush();
}

absl::Status RunInfoVerb(int argc, char** argv) {
  constexpr OptionSpec kSpecs[] = {{"--json"}, {"--check"}};
  absl::StatusOr<ParsedArguments> parsed = ParseArguments(
      absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)), kSpecs);
  if (!parsed.ok()) return parsed.status();
  if (parsed->operands.empty()) return UsageError("info needs a FILE");
  ReadOptions read;
  read.chunk_stats = true;
  bool json = false;
  for (const ParsedArguments::Option& option : parsed->options) {
    (option.name == "--json" ? json : read.check) = true;
  }
  if (json && parsed->operands.size() > 1)
    return UsageError("--json takes one FILE");
  for (size_t i = 0; i < parsed->operands.size(); ++i) {
    ProgressBar bar("reading");
    absl::StatusOr<Trace> trace = ReadTrace(
        parsed->operands[i], read,
        [&bar](uint64_t done, uint64_t total) { bar.Update(done, total); });
    if (!trace.ok()) return trace.status();
    bar.Clear();
    if (i != 0) Print("\n");
    Print(json ? RenderInfoJson(*trace) : RenderInfo(*trace, DetectStyle()));
  }
  return Flush();
}

}  // namespace mallogram
