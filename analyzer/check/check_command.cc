#include "analyzer/check/check_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "analyzer/check/render_check.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/terminal.h"
#include "analyzer/leaks/builder.h"
#include "analyzer/leaks/growth_of.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/leaks/run_program.h"
#include "analyzer/leaks/suppressions.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/report/report_command.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {
namespace {

int Fail(int exit_status, absl::string_view message) {
  fprintf(stderr, "mallogram: %s\n", std::string(message).c_str());
  return exit_status;
}

absl::Status AddSuppressions(const CheckOptions& options, SuppressionSet* set) {
  for (const std::string& path : options.suppressions) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": cannot be read: ", strerror(errno)));
    }
    const absl::Status status = set->Add(text.str(), path, /*built_in=*/false);
    if (!status.ok()) return status;
  }
  return set->Add(kBuiltInSuppressions, "built-in", /*built_in=*/true);
}

bool WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file.fail())
    Fail(kFailure, absl::StrCat(path, ": cannot be written: ", strerror(errno)));
  return !file.fail();
}

// The life of the program itself, which may have executed others in its place.
struct ProgramLife {
  int64_t pid = 0;
  uint64_t first_start = UINT64_MAX, last_start = 0;
  EndReason end = EndReason::kExited;  // of the last that was recorded
  std::string last;
};

// The program was there before its children.
void Follow(const Trace& trace, const std::string& name, ProgramLife* life) {
  const uint64_t start = trace.run.start_unix_ns;
  if (start < life->first_start) {
    if (trace.run.pid != life->pid) life->last_start = 0;
    life->first_start = start;
    life->pid = trace.run.pid;
  }
  if (trace.run.pid != life->pid || start < life->last_start) return;
  life->last_start = start;
  life->end = trace.summary.end;
  life->last = name;
}

// One recording, for the document and beside it.
absl::StatusOr<ProcessRun> Read(const std::string& file, LeakBuilder* builder,
                                ProgramLife* life) {
  ProgressBar bar("reading");
  const auto progress = [&bar](uint64_t done, uint64_t total) {
    bar.Update(done, total);
  };
  absl::StatusOr<Recording> recording = Recording::Open(file);
  if (!recording.ok()) return recording.status();
  absl::StatusOr<Trace> trace = ReadTrace(*recording, ReadOptions(), progress);
  if (!trace.ok()) return trace.status();
  ProcessRun run;
  run.name = absl::StrCat(trace->run.executable, " (pid ", trace->run.pid, ")");
  Follow(*trace, run.name, life);
  // A limit that is kept means little for what was not seen.
  if (!trace->summary.detail_text.empty() &&
      trace->summary.end != EndReason::kDetached) {
    Fail(0, absl::StrCat(run.name, ": ", trace->summary.detail_text));
  }
  run.peak_bytes = trace->summary.totals.peak_heap_bytes;
  run.allocations = trace->summary.totals.allocations;
  absl::StatusOr<std::vector<TestSpan>> tests = ReadTests(*recording, progress);
  if (!tests.ok()) return tests.status();
  run.tests = *std::move(tests);
  absl::StatusOr<RunGrowth> growth =
      ReadGrowth(*recording, *trace, progress, EndOfRun(*trace, 0));
  if (!growth.ok()) return growth.status();
  run.heap = growth->heap;
  const absl::Status status =
      builder->Add(*trace, LeakRequest(), ShowGrowth(*std::move(growth)));
  if (!status.ok()) return status;
  return run;
}

// 0, kFound, or kFailure if nothing could be judged.
int Judge(const CheckOptions& options, const SuppressionSet& suppressions,
          const std::vector<std::string>& files) {
  StackBook book(SameLocation::kByText);
  LeakBuilder builder(&book);
  std::vector<ProcessRun> processes;
  ProgramLife life;
  for (const std::string& file : files) {
    absl::StatusOr<ProcessRun> run = Read(file, &builder, &life);
    if (!run.ok()) return Fail(kFailure, run.status().message());
    processes.push_back(*std::move(run));
  }
  if (life.end == EndReason::kExeced) {
    return Fail(kFailure,
                absl::StrCat("what ", life.last, " executed in its place ",
                             "was not recorded, so nothing can be judged"));
  }
  LeakDocument document = builder.Finish();
  // Beyond this point call stacks are fixed.
  ApplySuppressions(suppressions, book, &document);
  const std::vector<Finding> findings =
      JudgeLimits(options.limits, document, book, processes);
  const std::string text = RenderFindings(findings, DetectStyle(STDERR_FILENO));
  fwrite(text.data(), 1, text.size(), stderr);
  if (!options.junit_file.empty() &&
      !WriteText(options.junit_file,
                 RenderFindingsJunit(findings, options.program[0]))) {
    return kFailure;
  }
  for (const Finding& finding : findings) {
    if (!finding.kept) return kFound;
  }
  return 0;
}

}  // namespace

int RunCheck(int argc, char** argv) {
  const absl::StatusOr<CheckOptions> options =
      ParseCheckOptions(absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)));
  if (!options.ok()) {
    return Fail(kUsage, absl::StrCat(options.status().message(),
                                     "; see mallogram help check"));
  }
  if (options->help) {
    const absl::Status printed = PrintOut(kCheckHelp);
    return printed.ok() ? 0 : Fail(kFailure, printed.message());
  }
  SuppressionSet suppressions;
  absl::Status status = AddSuppressions(*options, &suppressions);
  if (!status.ok()) return Fail(kUsage, status.message());
  TemporaryDirectory temporary;
  std::string output = options->trace;
  if (output.empty()) {
    status = temporary.Make();
    if (!status.ok()) return Fail(kFailure, status.message());
    output = absl::StrCat(temporary.path(), "/");
  }
  const absl::StatusOr<int> program =
      RecordProgram(options->program, output, "full");
  if (!program.ok()) return Fail(kFailure, program.status().message());
  const absl::StatusOr<std::vector<std::string>> files = FindTraces({output});
  // record has said why there is none.
  if (!files.ok() || access(files->front().c_str(), F_OK) != 0)
    return *program != 0 ? *program : kFailure;
  const int judged = Judge(*options, suppressions, *files);
  return *program != 0 ? *program : judged;
}

}  // namespace mallogram
