#include "analyzer/scaling/fit_command.h"

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/fit/fit.h"
#include "analyzer/fit/fit_all.h"
#include "analyzer/fit/table.h"
#include "analyzer/scaling/render_fit.h"
#include "analyzer/scaling/run_files.h"
#include "analyzer/scaling/scaling_command.h"

namespace mallogram {

namespace {

constexpr char kHead[] =
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
)";

constexpr char kAfterSizes[] =
    R"(A size may end in k, M or G (10^3, 10^6, 10^9). Runs of one size are replicates.

Options:
)";

constexpr char kTail[] = R"(
Of a table (--data): the law of every series in it. It is tab-separated, its first
line names the columns (--data -: standard input). Lines that begin with # are
comments.
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

struct Options {
  std::string data;  // empty: recordings
  std::vector<std::string> paths;
  SizeSource sizes;
  std::string sizes_by;  // the option that gave them
  ScalingOptions scaling;
};

std::vector<Option> SizeRows(Options* options) {
  const auto one_of_these = [options](std::string* text) -> Setter {
    return [options, text](absl::string_view name, absl::string_view value) {
      if (!options->sizes_by.empty() && options->sizes_by != name) {
        return UsageError(absl::StrCat(options->sizes_by, " and ", name,
                                       " both say the sizes: leave one out"));
      }
      options->sizes_by = std::string(name);
      return Store(text)(name, value);
    };
  };
  return {{"--n", 0, "N,...", "in the order of the files",
           one_of_these(&options->sizes.list)},
          {"--n-from-name", 0, "REGEX",
           "an extended regular expression; its one group is the size",
           one_of_these(&options->sizes.pattern)},
          {"--n-table", 0, "FILE.tsv",
           "columns file and n, tab-separated, rep if you like",
           one_of_these(&options->sizes.table)}};
}

std::vector<Option> DataRows(Options* options) {
  std::vector<Option> rows = {
      {"--data", 0, "FILE.tsv", "fit the series of a table instead, see below",
       Store(&options->data)},
      OutputRow(&options->scaling.output)};
  Append(ScalingRows(&options->scaling), &rows);
  return rows;
}

absl::Status CheckData(const Words& words) {
  constexpr absl::string_view kOfTables[] = {"--data",  "--predict", "--budget",
                                             "--json",  "--output",  "--color",
                                             "--quiet", "--si"};
  for (const std::string& name : words.given) {
    if (absl::c_linear_search(kOfTables, name)) continue;
    return UsageError(absl::StrCat(name, " is for recordings, --data for a table"));
  }
  if (words.operands.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat("\"", words.operands[0],
                                 "\" is not expected here: the table is given by "
                                 "--data"));
}

absl::StatusOr<Options> Parse(Arguments arguments) {
  Options options;
  std::vector<Option> rows = SizeRows(&options);
  Append(DataRows(&options), &rows);
  Append(FilterRows(&options.scaling.filters), &rows);
  absl::StatusOr<Words> words = ParseOptions(arguments, rows);
  if (!words.ok()) return words.status();
  if (!options.data.empty()) {
    const absl::Status status = CheckData(*words);
    if (!status.ok()) return status;
  }
  options.paths = std::move(words->operands);
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
  absl::StatusOr<std::string> text = ReadTextFile(options.data);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<fit::TableSeries>> table = fit::ParseTable(*text);
  if (!table.ok()) {
    return absl::DataLossError(
        absl::StrCat(options.data, ": ", table.status().message()));
  }
  const ScalingRequest& request = options.scaling.request;
  const std::vector<fit::NamedFit> fits =
      FitAll(*table, {request.predict, request.budget});
  ReportFile out(options.scaling.output);
  const Style style = out.style();
  out.Write(options.scaling.json ? fit::RenderFitJson(fits, request.budget)
                                 : fit::RenderFitText(fits, request.budget,
                                                      {style.color, style.utf8}));
  return out.Close();
}

}  // namespace

std::string FitHelp() {
  Options none;
  return absl::StrCat(kHead, DescribeOptions(SizeRows(&none)), kAfterSizes,
                      DescribeOptions(DataRows(&none)), FilterHelp(), kTail);
}

absl::StatusOr<int> RunFit(Arguments arguments) {
  const absl::StatusOr<Options> options = Parse(arguments);
  if (!options.ok()) return options.status();
  return ExitAfter(options->data.empty() ? FitRecordings(*options)
                                         : FitTable(*options));
}

}  // namespace mallogram
