#include "analyzer/check/check_command.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "analyzer/check/render_check.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/terminal.h"
#include "analyzer/leaks/builder.h"
#include "analyzer/leaks/growth_of.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/leaks/run_program.h"
#include "analyzer/leaks/suppressions.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {
namespace {

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
    Say(absl::StrCat(run.name, ": ", trace->summary.detail_text));
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

// 0 or kFound; the error is why nothing could be judged.
absl::StatusOr<int> Judge(const CheckOptions& options,
                          const SuppressionSet& suppressions,
                          const std::vector<std::string>& files) {
  StackBook book(SameLocation::kByText);
  LeakBuilder builder(&book);
  std::vector<ProcessRun> processes;
  ProgramLife life;
  for (const std::string& file : files) {
    absl::StatusOr<ProcessRun> run = Read(file, &builder, &life);
    if (!run.ok()) return absl::FailedPreconditionError(run.status().message());
    processes.push_back(*std::move(run));
  }
  if (life.end == EndReason::kExeced) {
    return absl::FailedPreconditionError(
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
  if (!options.junit_file.empty()) {
    const absl::Status written = WriteTextFile(
        options.junit_file, RenderFindingsJunit(findings, options.program[0]));
    if (!written.ok()) return written;
  }
  for (const Finding& finding : findings) {
    if (!finding.kept) return kFound;
  }
  return 0;
}

}  // namespace

absl::StatusOr<int> RunCheck(Arguments arguments) {
  const absl::StatusOr<CheckOptions> options = ParseCheckOptions(arguments);
  if (!options.ok()) return options.status();
  SuppressionSet suppressions;
  absl::Status status =
      LoadSuppressions(options->suppressions, /*built_in=*/true, &suppressions);
  if (!status.ok()) return InputError(status);
  TemporaryDirectory temporary;
  std::string output = options->recording;
  if (output.empty()) {
    status = temporary.Make();
    if (!status.ok()) return status;
    output = absl::StrCat(temporary.path(), "/");
  }
  const absl::StatusOr<int> program =
      RecordProgram(options->program, output, "full");
  if (!program.ok()) return program.status();
  const absl::StatusOr<std::vector<std::string>> files = FindTraces({output});
  // record has said why there is none.
  if (!files.ok() || access(files->front().c_str(), F_OK) != 0)
    return *program != 0 ? *program : kFailure;
  const absl::StatusOr<int> judged = Judge(*options, suppressions, *files);
  if (*program == 0) return judged;
  if (!judged.ok()) return WithExit(judged.status(), *program);
  return *program;
}

}  // namespace mallogram
