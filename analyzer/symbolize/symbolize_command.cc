#include "analyzer/symbolize/symbolize_command.h"

#include <climits>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/recording/recording.h"
#include "analyzer/recording/rewrite.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/stacks/debug_options.h"
#include "analyzer/symbolize/names_of.h"

namespace mallogram {
namespace {

constexpr char kHead[] = R"(Usage: mallogram symbolize [OPTIONS] FILE...

Writes the names of functions, files and lines into recordings, so that they read
the same on a machine that has none of the binaries. Every verb prefers these names.
FILEs may be directories. A FILE is replaced when the new one is whole.

Where a binary is not here, the names that the recording has already stay; its other
addresses stay without, and a later call may name them.

Options:
)";

constexpr char kTail[] = R"(
Examples:
  mallogram symbolize server.*.mgram
  mallogram symbolize -o for-the-archive.mgram run.mgram
)";

struct SymbolizeOptions {
  std::string output, debug_dir;
};

std::vector<Option> Rows(SymbolizeOptions* options) {
  std::vector<Option> rows = {{"--output", 'o', "FILE",
                               "write to FILE, and leave the recording as it is",
                               Store(&options->output)}};
  Append(DebugRows(&options->debug_dir), &rows);
  Append(TerminalRows(), &rows);
  return rows;
}

// The file behind links: they stay what they are.
std::string RealPath(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) == nullptr ? path : resolved;
}

absl::Status Symbolize(const std::string& file, const SymbolizeOptions& options) {
  ProgressBar bar("reading");
  const auto progress = [&bar](uint64_t done, uint64_t total) {
    bar.Update(done, total);
  };
  absl::StatusOr<Recording> recording = Recording::Open(file);
  if (!recording.ok()) return recording.status();
  const absl::StatusOr<Trace> trace =
      ReadTrace(*recording, ReadOptions(), progress);
  if (!trace.ok()) return trace.status();
  if (trace->still_recording) {
    return absl::FailedPreconditionError(absl::StrCat(
        file, " is still being recorded: symbolize it when the program has ended"));
  }
  Symbolizer symbolizer(options.debug_dir);
  bar.SetLabel("naming");
  const NamesOfTrace names = NamesOf(*trace, &symbolizer, progress);
  const std::string path = options.output.empty() ? RealPath(file) : options.output;
  const absl::Status status = WriteWithNames(*recording, names.payloads, path);
  if (!status.ok()) return status;
  bar.Clear();
  if (IsQuiet()) return absl::OkStatus();
  for (const std::string& note : symbolizer.notes()) Say(note);
  return PrintOut(
      WrapLines(absl::StrCat(path, ": ", FormatCount(names.named), " of ",
                             Plural(names.addresses, "address"), " named, in ",
                             Plural(names.modules, "module"), "\n"),
                DetectStyle().width));
}

}  // namespace

std::string SymbolizeHelp() {
  SymbolizeOptions none;
  return absl::StrCat(kHead, DescribeOptions(Rows(&none)), kTail);
}

absl::StatusOr<int> RunSymbolize(Arguments arguments) {
  SymbolizeOptions options;
  const absl::StatusOr<Words> words = ParseOptions(arguments, Rows(&options));
  if (!words.ok()) return words.status();
  if (words->operands.empty())
    return UsageError("symbolize needs a FILE or a directory");
  const absl::StatusOr<std::vector<std::string>> files =
      FindTraces(words->operands);
  if (!files.ok()) return files.status();
  if (!options.output.empty() && files->size() > 1)
    return UsageError("--output is for one FILE");
  // One that cannot be named does not keep the others from it.
  absl::Status last;
  for (const std::string& file : *files) {
    const absl::Status status = Symbolize(file, options);
    if (status.ok()) continue;
    if (!last.ok()) Say(last.message());
    last = status;
  }
  return ExitAfter(last);
}

}  // namespace mallogram
