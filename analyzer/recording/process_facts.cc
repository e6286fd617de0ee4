#include "analyzer/recording/process_facts.h"

#include <string.h>

#include "absl/strings/str_cat.h"

namespace mallogram {

ProcessFacts FactsOf(const Trace& trace) {
  const Summary& summary = trace.summary;
  ProcessFacts facts;
  facts.file = trace.path;
  facts.program = trace.run.executable.substr(trace.run.executable.rfind('/') + 1);
  facts.argv = trace.run.argv;
  facts.cwd = trace.run.cwd;
  facts.host = trace.run.host;
  facts.pid = trace.run.pid;
  facts.ppid = trace.run.ppid;
  facts.start_unix_ns = trace.run.start_unix_ns;
  facts.sample_interval = summary.sampling.interval;
  facts.end = summary.end;
  facts.end_detail = summary.end_detail;
  facts.detail_text = summary.detail_text;
  facts.still_recording = trace.still_recording;
  return facts;
}

std::string SignalName(int64_t signal) {
  const char* const name = sigabbrev_np(static_cast<int>(signal));
  return name == nullptr ? absl::StrCat("signal ", signal)
                         : absl::StrCat("SIG", name);
}

std::string EndText(const ProcessFacts& process) {
  if (process.still_recording) return "still running";
  switch (process.end) {
    case EndReason::kUnknown:
      return "end not recorded";
    case EndReason::kExited:
      return process.end_detail < 0
                 ? "exited"
                 : absl::StrCat("exited with status ", process.end_detail);
    case EndReason::kSignalled:
      return absl::StrCat("killed by ", SignalName(process.end_detail));
    case EndReason::kExeced:
      return "replaced by another program (exec)";
    case EndReason::kDetached:
      return absl::StrCat("recording stopped early",
                          process.detail_text.empty() ? "" : ": ",
                          process.detail_text);
    case EndReason::kVanished:
      return "killed, or ended by a system call of its own";
  }
  return "";
}

absl::string_view EndWord(const ProcessFacts& process) {
  if (process.still_recording) return "running";
  switch (process.end) {
    case EndReason::kUnknown:
      return "unknown";
    case EndReason::kExited:
      return "exited";
    case EndReason::kSignalled:
      return "signalled";
    case EndReason::kExeced:
      return "execed";
    case EndReason::kDetached:
      return "detached";
    case EndReason::kVanished:
      return "vanished";
  }
  return "";
}

}  // namespace mallogram
