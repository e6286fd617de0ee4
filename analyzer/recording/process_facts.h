// What every report says of a recorded process, and how it ended, in words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/recording/trace.h"
#include "preload/trace/summary.h"

namespace mallogram {

struct ProcessFacts {
  std::string file;     // the trace; empty: it was temporary
  std::string program;  // base name of the executable
  std::vector<std::string> argv;
  std::string cwd, host;
  int64_t pid = 0, ppid = 0;
  uint64_t start_unix_ns = 0;
  uint64_t sample_interval = 0;  // 0: every block was recorded
  EndReason end = EndReason::kUnknown;
  int64_t end_detail = -1;  // exit status or signal
  std::string detail_text;
  bool still_recording = false;
};

ProcessFacts FactsOf(const Trace& trace);

// "SIGKILL"; "signal 64".
std::string SignalName(int64_t signal);
// "exited with status 0", "killed by SIGKILL", "still running".
std::string EndText(const ProcessFacts& process);
// The same as one word, for JSON: "exited", "signalled", "running".
absl::string_view EndWord(const ProcessFacts& process);

}  // namespace mallogram
