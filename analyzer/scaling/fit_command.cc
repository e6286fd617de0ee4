#include "analyzer/scaling/fit_command.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/terminal.h"
#include "analyzer/fit/fit.h"
#include "analyzer/fit/fit_all.h"
#include "analyzer/fit/table.h"
#include "analyzer/scaling/render_fit.h"
#include "analyzer/scaling/run_files.h"
#include "analyzer/scaling/scaling_command.h"

namespace mallogram {

const char kFitHelp[] =
    R"(Usage: mallogram fit [OPTIONS] FILE.mgram... | DIR...
       mallogram fit --data FILE.tsv [--predict N,...] [--budget BYTES] [--json]

By which law memory grows with the input size n, how sure that is, and what it
will be at larger sizes. A class or a figure that the data do not support is
refused, with the reason.

Of recordings of one program at several sizes (mallogram sweep makes such): the
program's law, what it is made of, and every call site's own, the largest at the
target size first. Call sites are matched by their call stacks as they read, with
recursion folded. A FILE is a run, and so is a directory of several processes'
recordings, which are added up; a single DIR stands for the runs in it.

Sizes of the runs (by default the number in the name of the file or directory):
  --n N,...             in the order of the files
  --n-from-name REGEX   an extended regular expression; its one group is the size
  --n-table FILE.tsv    columns file and n, tab-separated, rep if you like
A size may end in k, M or G (10^3, 10^6, 10^9). Runs of one size are replicates.

  --by METRIC           rank and take apart by
                          peak       bytes live at the program's peak (default)
                          live       bytes live at the end
                          allocated  bytes allocated in all
                          calls      allocations
  --sites IDENTITY      what is one call site
                          stack      a call stack, with lines (default)
                          names      its functions only: compares rebuilds
                          line       the innermost line of your own
                          function   the innermost function of your own
  --predict N,...       the sizes to predict; the largest is the target (by default
                        ten times the largest measured)
  --budget BYTES        the largest n whose upper bound stays within; 100MB = 10^8,
                        100MiB = 100 * 2^20
  --top N               show N call sites (default 20, if above a thousandth;
                        0: all)
  --depth N             show N callers of each (default 2)
  --full-names          functions with all arguments, files with directories
  --debug-dir DIR       look for separate debug files in DIR/.build-id as well
  --json                everything, for programs

Of a table: the law of every series in it. It is tab-separated, its first line
names the columns (--data -: standard input). Lines that begin with # are comments.
  id, n, bytes          the series, the input size (> 0), the bytes (>= 0)
  rep                   optional: replicates of one size are rows with the same n
  quantum               optional: what the values are rounded to (4096 for RSS);
                        by default the power of two up to 16 that divides them
  role                  optional: rows with role "predict" are not fitted
Other columns are ignored.

Classes: zero constant bounded logarithmic sublinear linear linearithmic superlinear
quadratic superquadratic decreasing erratic undetermined. "high" and "likely" say
how sure. It takes at least 4 sizes over a factor 4; 6 over two decades, three runs
each and sizes that are not powers of two make a firm verdict.

Examples:
  for n in 300 1000 3000 10000 30000; do
    mallogram record -o n=$n.mgram -- xmllint --noout $n.xml
  done
  mallogram fit n=*.mgram
  mallogram fit --by calls --sites function --predict 1M --budget 2GiB n=*.mgram
  mallogram fit --n 10,100,1000,10000 a.mgram b.mgram c.mgram d.mgram
  mallogram fit --data sizes.tsv --predict 50000
)";

namespace {

struct Options {
  std::string data;  // empty: recordings
  std::vector<std::string> paths;
  SizeSource sizes;
  ScalingOptions scaling;
};

absl::Status CheckData(const ParsedArguments& parsed) {
  for (const ParsedArguments::Option& option : parsed.options) {
    if (option.name != "--data" && option.name != "--predict" &&
        option.name != "--budget" && option.name != "--json") {
      return UsageError(
          absl::StrCat(option.name, " is for recordings, --data for a table"));
    }
  }
  if (parsed.operands.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat("\"", parsed.operands[0],
                                 "\" is not expected here: the table is given by "
                                 "--data"));
}

absl::StatusOr<Options> Parse(int argc, char** argv) {
  std::vector<OptionSpec> specs = kScalingOptions;
  for (const char* name : {"--data", "--n", "--n-from-name", "--n-table"})
    specs.push_back({name, true});
  absl::StatusOr<ParsedArguments> parsed = ParseArguments(
      absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)), specs);
  if (!parsed.ok()) return parsed.status();
  Options options;
  absl::string_view sizes_by;
  for (const ParsedArguments::Option& option : parsed->options) {
    const absl::StatusOr<bool> taken = ParseScalingOption(option, &options.scaling);
    if (!taken.ok()) return taken.status();
    if (*taken) continue;
    if (option.value.empty())
      return UsageError(absl::StrCat(option.name, " needs a value"));
    if (option.name == "--data") {
      options.data = option.value;
      continue;
    }
    if (!sizes_by.empty() && sizes_by != option.name) {
      return UsageError(absl::StrCat(sizes_by, " and ", option.name,
                                     " both say the sizes: leave one out"));
    }
    sizes_by = option.name;
    (option.name == "--n"         ? options.sizes.list
     : option.name == "--n-table" ? options.sizes.table
                                  : options.sizes.pattern) = option.value;
  }
  if (!options.data.empty()) {
    const absl::Status status = CheckData(*parsed);
    if (!status.ok()) return status;
  }
  options.paths = std::move(parsed->operands);
  if (options.data.empty() && options.paths.empty() &&
      options.sizes.table.empty()) {
    return UsageError(
        "fit needs recordings (FILE.mgram... or a directory) or --data FILE.tsv");
  }
  for (const std::string& path : options.paths) {
    if (absl::EndsWith(path, ".tsv")) {
      return UsageError(absl::StrCat(path, " is a table: --data ", path,
                                     " fits it, --n-table takes sizes from it"));
    }
  }
  return options;
}

absl::Status FitRecordings(const Options& options) {
  const absl::StatusOr<std::vector<RunFiles>> runs =
      FindRuns(options.paths, options.sizes);
  if (!runs.ok()) return runs.status();
  return ReportScaling(*runs, options.scaling);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  FILE* file = path == "-" ? stdin : fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("cannot open ", path, ": ", strerror(errno)));
  }
  std::string text;
  char buffer[1 << 16];
  size_t got = 0;
  errno = 0;
  while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
    text.append(buffer, got);
  const bool failed = ferror(file) != 0;
  const int error = errno;
  if (file != stdin) fclose(file);
  if (failed) {
    return absl::UnknownError(
        absl::StrCat("cannot read ", path, ": ", strerror(error)));
  }
  return text;
}

std::vector<fit::NamedFit> FitAll(const std::vector<fit::TableSeries>& table,
                                  const fit::FitRequest& request) {
  std::vector<fit::SeriesInput> inputs;
  for (const fit::TableSeries& series : table)
    inputs.push_back({series.fitted, series.quantum});
  std::vector<fit::SeriesFit> fitted = fit::FitAllSeries(inputs, request);
  std::vector<const fit::SeriesFit*> all;
  for (const fit::SeriesFit& fit : fitted) all.push_back(&fit);
  const std::vector<bool> alarms = fit::AlarmsOf(all);
  std::vector<fit::NamedFit> fits;
  for (size_t i = 0; i < fitted.size(); ++i)
    fits.push_back({table[i].id, std::move(fitted[i]), alarms[i]});
  return fits;
}

absl::Status FitTable(const Options& options) {
  absl::StatusOr<std::string> text = ReadFile(options.data);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<fit::TableSeries>> table = fit::ParseTable(*text);
  if (!table.ok()) {
    return absl::DataLossError(
        absl::StrCat(options.data, ": ", table.status().message()));
  }
  const ScalingRequest& request = options.scaling.request;
  const std::vector<fit::NamedFit> fits =
      FitAll(*table, {request.predict, request.budget});
  if (options.scaling.json)
    return PrintOut(fit::RenderFitJson(fits, request.budget));
  const Style style = DetectStyle();
  return PrintOut(
      fit::RenderFitText(fits, request.budget, {style.color, style.utf8}));
}

absl::Status Fit(int argc, char** argv) {
  const absl::StatusOr<Options> options = Parse(argc, argv);
  if (!options.ok()) return options.status();
  return options->data.empty() ? FitRecordings(*options) : FitTable(*options);
}

}  // namespace

int RunFit(int argc, char** argv) {
  const absl::Status status = Fit(argc, argv);
  if (status.ok()) return 0;
  const bool usage = absl::IsInvalidArgument(status);
  fprintf(stderr, "mallogram: %s%s\n", std::string(status.message()).c_str(),
          usage ? "; see mallogram help fit" : "");
  return usage ? kUsage : kFailure;
}

}  // namespace mallogram
