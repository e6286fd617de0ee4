// What launcher and collector say to each other over their SOCK_SEQPACKET pair,
// one message a packet:
//
//   launcher → collector   kStarted   the program's pid
//                          kStopped   it was stopped, and so is the launcher now:
//                                     continue the launcher when it runs again
//                          kRunning   the launcher runs again
//                          kEnded     its wait status
//   collector → launcher   kReport    the answer to kEnded: its trace is whole
//
// End of file from the launcher means that it is gone: no more will be asked, and
// no one else will come but children of what is being recorded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "preload/collector/collector.h"
#include "preload/trace/summary.h"

namespace mallogram {

enum class ControlKind : uint32_t {
  kStarted = 1,
  kStopped = 2,
  kRunning = 3,
  kEnded = 4,
  kReport = 5,
};

// The launcher's messages; both ends are one program, so plain bytes do.
struct ControlMessage {
  ControlKind kind = ControlKind::kStarted;
  int32_t pid = 0;     // kStarted: the program; kStopped: the launcher
  int32_t status = 0;  // kEnded: as from waitpid
};

// One finished recording, with what the launcher prints of it.
struct FinishedFile {
  std::string path;
  std::string program;
  int pid = 0;
  std::string error;  // empty: complete
};

// Everything the ten-line summary says.
struct RecordingReport {
  // The program itself; after an exec, what it ended as. No path: it never
  // connected, or `main.error` says why its file could not be made.
  FinishedFile main;
  bool connected = false;  // some process handed over an image
  Summary summary;         // of `main`, without sites and timeline
  // Others: children, and what the program was before an exec.
  uint64_t other_processes = 0, other_allocations = 0;
  uint64_t still_running = 0;        // recorded on in the background
  std::vector<FinishedFile> others;  // the first kMaxOthers
  uint64_t troubled = 0;             // of the others, those with an error
  std::string first_trouble;
  // What any of them started without the library, in words; empty: nothing.
  std::string unrecorded;
  static constexpr size_t kMaxOthers = 16;
};

// Collects a report, one finished file after the other.
class RecordingReportBuilder {
 public:
  // `main_pid` 0: not known yet. `summary` nullptr: there is no file.
  void Add(FinishedFile file, const Summary* summary, pid_t main_pid);
  void AddTrouble(const std::string& trouble);
  void SetConnected() { report_.connected = true; }
  bool connected() const { return report_.connected; }
  const RecordingReport& Get(uint64_t still_running, std::string unrecorded) {
    report_.still_running = still_running;
    report_.unrecorded = std::move(unrecorded);
    return report_;
  }

 private:
  void AddOther(FinishedFile file, uint64_t allocations);

  RecordingReport report_;
};

std::string EncodeReport(const RecordingReport& report);
absl::StatusOr<RecordingReport> DecodeReport(absl::string_view bytes);

// Sends one packet; false if the other end is gone. Never raises SIGPIPE.
bool SendPacket(int fd, absl::string_view bytes);
bool SendControl(int fd, const ControlMessage& message);
// Waits for one packet; empty at end of file or error.
std::string ReceivePacket(int fd);

}  // namespace mallogram
