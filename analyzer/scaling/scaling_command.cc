#include "analyzer/scaling/scaling_command.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "analyzer/command/terminal.h"
#include "analyzer/scaling/render_scaling.h"
#include "analyzer/scaling/run_files.h"

namespace mallogram {
namespace {

// How far a prediction goes if nobody says: as far as simulations have shown that
// most hold.
constexpr double kReach = 10;

template <size_t kCount>
absl::StatusOr<size_t> ChoiceOf(const ParsedArguments::Option& option,
                                const absl::string_view (&words)[kCount]) {
  for (size_t i = 0; i < kCount; ++i) {
    if (option.value == words[i]) return i;
  }
  return UsageError(absl::StrCat(option.name, " takes ", absl::StrJoin(words, ", "),
                                 "; not \"", option.value, "\"",
                                 DidYouMean(option.value, words)));
}

}  // namespace

const std::vector<OptionSpec> kScalingOptions = {
    {"--by", true},        {"--sites", true}, {"--predict", true},
    {"--budget", true},    {"--top", true},   {"--depth", true},
    {"--debug-dir", true}, {"--json"},        {"--full-names"}};

absl::StatusOr<bool> ParseScalingOption(const ParsedArguments::Option& option,
                                        ScalingOptions* options) {
  absl::Status status;
  if (option.name == "--by") {
    constexpr absl::string_view kWords[] = {"peak", "live", "allocated", "calls"};
    const ParsedArguments::Option measure = {
        option.name, std::string(MeasureWord(option.value))};
    const absl::StatusOr<size_t> choice = ChoiceOf(measure, kWords);
    if (choice.ok()) options->request.by = static_cast<Metric>(*choice);
    status = choice.status();
  } else if (option.name == "--sites") {
    constexpr absl::string_view kWords[] = {"stack", "names", "line", "function"};
    const absl::StatusOr<size_t> choice = ChoiceOf(option, kWords);
    if (choice.ok()) options->identity = static_cast<SiteIdentity>(*choice);
    status = choice.status();
  } else if (option.name == "--predict") {
    for (const absl::string_view part : absl::StrSplit(option.value, ',')) {
      const absl::StatusOr<double> n = ParseSize(option.name, part);
      if (!n.ok()) return n.status();
      options->request.predict.push_back(*n);
    }
  } else if (option.name == "--budget") {
    const absl::StatusOr<double> bytes = ParseBytes(option.name, option.value);
    if (bytes.ok()) options->request.budget = *bytes;
    status = bytes.status();
  } else if (option.name == "--top" || option.name == "--depth") {
    const absl::StatusOr<uint64_t> number = ParseNumber(option.name, option.value);
    if (number.ok() && option.name == "--top") options->top = *number;
    if (number.ok() && option.name == "--depth") options->depth = *number;
    status = number.status();
  } else if (option.name == "--debug-dir") {
    options->debug_dir = option.value;
  } else if (option.name == "--json") {
    options->json = true;
  } else if (option.name == "--full-names") {
    options->full_names = true;
  } else {
    return false;
  }
  if (!status.ok()) return status;
  return true;
}

absl::Status ReportScaling(const std::vector<RunFiles>& files,
                           const ScalingOptions& options) {
  constexpr uint64_t kPerRun = 1000;
  StackBook book(SameLocation::kByText, options.debug_dir);
  RunsBuilder builder(&book, options.identity);
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
  if (options.json) {
    return PrintOut(
        RenderScalingJson(scaling, runs.sites, options.parameter, request.budget));
  }
  ScalingTextOptions text;
  text.style = DetectStyle();
  text.parameter = options.parameter;
  text.budget = request.budget;
  if (options.top.has_value()) {
    text.top = *options.top;
    text.least_shown = 0;
  }
  text.depth = options.depth;
  text.full_names = options.full_names;
  return PrintOut(RenderScalingText(scaling, runs.sites, text));
}

}  // namespace mallogram
