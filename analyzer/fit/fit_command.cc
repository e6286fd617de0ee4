#include "analyzer/fit/fit_command.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "analyzer/cli.h"
#include "analyzer/fit/fit.h"
#include "analyzer/fit/many_sites.h"
#include "analyzer/fit/render.h"
#include "analyzer/fit/table.h"
#include "analyzer/terminal.h"

namespace mallogram {

const char kFitHelp[] =
    R"(Usage: mallogram fit --data FILE.tsv [--json] [--predict N,...] [--budget BYTES]

By which law memory grows with the input size n, how sure that is, and what it
will be at larger sizes: for every series of measurements in a table. A class or a
figure that the data do not support is refused, with the reason.

The table is tab-separated, its first line names the columns ("-": standard
input). Lines that begin with # are comments.
  id, n, bytes       the series, the input size (> 0), the bytes (>= 0)
  rep                optional: replicates of one size are rows with the same n
  quantum            optional: what the values are rounded to (4096 for RSS);
                     by default the power of two up to 16 that divides them
  role               optional: rows with role "predict" are not fitted
Other columns are ignored.

Options:
  --predict N,...    bytes at these sizes, with 95 % intervals
  --budget BYTES     the largest n whose upper bound stays within; 100MB = 10^8,
                     100MiB = 100 * 2^20
  --json             everything, for programs

Classes: zero constant bounded logarithmic sublinear linear linearithmic superlinear
quadratic superquadratic decreasing erratic undetermined. "high" and "likely" say
how sure. It takes at least 4 sizes over a factor 4; 6 over two decades, three runs
each and sizes that are not powers of two make a firm verdict.
)";

namespace {

constexpr int kFailure = 1, kUsage = 2;
constexpr size_t kThreadedSeries =
    64;  // fewer are done before threads have started

struct Options {
  std::string data;
  bool json = false;
  fit::FitRequest request;
};

absl::StatusOr<Options> Parse(int argc, char** argv) {
  constexpr OptionSpec kSpecs[] = {
      {"--data", true}, {"--predict", true}, {"--budget", true}, {"--json"}};
  absl::StatusOr<ParsedArguments> parsed = ParseArguments(
      absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)), kSpecs);
  if (!parsed.ok()) return parsed.status();
  Options options;
  for (const ParsedArguments::Option& option : parsed->options) {
    if (option.name == "--data") {
      options.data = option.value;
    } else if (option.name == "--json") {
      options.json = true;
    } else if (option.name == "--budget") {
      absl::StatusOr<double> bytes = ParseBytes(option.name, option.value);
      if (!bytes.ok()) return bytes.status();
      options.request.budget = *bytes;
    } else {
      for (absl::string_view part : absl::StrSplit(option.value, ',')) {
        absl::StatusOr<double> n = ParsePositive(option.name, part);
        if (!n.ok()) return n.status();
        options.request.predict.push_back(*n);
      }
    }
  }
  if (!parsed->operands.empty()) {
    return UsageError(
        absl::StrCat("\"", parsed->operands[0],
                     "\" is not expected here; a table is given by --data"));
  }
  if (options.data.empty()) return UsageError("--data FILE.tsv is needed");
  return options;
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
  std::vector<fit::NamedFit> fits(table.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i;
         (i = next.fetch_add(1, std::memory_order_relaxed)) < table.size();) {
      fits[i].id = table[i].id;
      fits[i].fit = fit::FitSeries(table[i].fitted, table[i].quantum, request);
    }
  };
  std::vector<std::thread> helpers;
  if (table.size() >= kThreadedSeries) {
    const size_t count =
        std::min(8u, std::max(1u, std::thread::hardware_concurrency()));
    for (size_t i = 1; i < count; ++i) helpers.emplace_back(work);
  }
  work();
  for (std::thread& helper : helpers) helper.join();

  std::vector<fit::SiteEvidence> evidence;
  for (const fit::NamedFit& fit : fits) {
    evidence.push_back({fit.fit.superlinear, fit::SteepWeight(fit.fit.weights)});
  }
  const std::vector<bool> alarms = fit::Alarms(evidence);
  for (size_t i = 0; i < fits.size(); ++i) fits[i].alarm = alarms[i];
  return fits;
}

absl::Status Fit(int argc, char** argv) {
  absl::StatusOr<Options> options = Parse(argc, argv);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::string> text = ReadFile(options->data);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<fit::TableSeries>> table = fit::ParseTable(*text);
  if (!table.ok()) {
    return absl::DataLossError(
        absl::StrCat(options->data, ": ", table.status().message()));
  }
  const std::vector<fit::NamedFit> fits = FitAll(*table, options->request);
  std::string output;
  if (options->json) {
    output = fit::RenderFitJson(fits, options->request.budget);
  } else {
    const Style style = DetectStyle();
    output = fit::RenderFitText(fits, options->request.budget,
                                {style.color, style.utf8});
  }
  if (fwrite(output.data(), 1, output.size(), stdout) != output.size() ||
      fflush(stdout) != 0) {
    return absl::UnknownError(
        absl::StrCat("cannot write to standard output: ", strerror(errno)));
  }
  return absl::OkStatus();
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
