#include "preload/collector/give_up.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "preload/collector/hello.h"
#include "preload/collector/naming.h"
#include "preload/collector/process_facts.h"
#include "preload/collector/processes.h"
#include "preload/collector/resource_limits.h"
#include "preload/collector/session.h"
#include "preload/collector/trace_writer.h"

namespace mallogram {
namespace {

// One program with its leak check takes 19.
constexpr rlim_t kDescriptors = 20;
constexpr int kLookMs = 20;  // at a stopped launcher's program

// Returns false when there is nothing more to be said to the launcher.
bool Hear(Remains* remains, const std::string& why) {
  ControlMessage message;
  const ssize_t size = recv(remains->control_fd, &message, sizeof(message), 0);
  if (size < 0 && errno == EINTR) return true;
  if (size != sizeof(message)) return false;
  switch (message.kind) {
    case ControlKind::kStarted:
      remains->main_pid = message.pid;
      return true;
    case ControlKind::kStopped:
      remains->stopped_launcher = message.pid;
      return true;
    case ControlKind::kRunning:
      remains->stopped_launcher = 0;
      return true;
    case ControlKind::kEnded:
      break;
    case ControlKind::kReport:
      return true;
  }
  RecordingReport& report = remains->report;
  report.connected = true;  // it may have been: nobody looked
  if (report.main.pid == 0 && report.main.error.empty()) report.main.error = why;
  SendPacket(remains->control_fd, EncodeReport(report));
  return false;
}

}  // namespace

std::string MissingDescriptors() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kDescriptors) {
    return "";
  }
  return absl::StrCat("the collector needs ", kDescriptors, " descriptors",
                      LimitBehind(EMFILE));
}

void LeaveWord(const CollectorOptions& options, pid_t pid, const std::string& why) {
  RunInfo run;
  FillRunInfo(pid, &run);
  run.pid = pid;
  run.mallogram_version = MALLOGRAM_VERSION;
  Summary summary;
  summary.end = EndReason::kDetached;
  summary.detail_text = absl::StrCat("nothing was recorded: ", why);
  summary.sizes.resize(kSizeBuckets);
  TraceWriter writer;
  const TraceNames names(options.output, options.directory);
  if (!writer
           .Create(names.Candidate(run.executable, pid, 1),
                   options.compression_level, kUnsampledVersion)
           .ok()) {
    return;
  }
  writer.Write(ChunkType::kRun, EncodeRunInfo(run));
  writer.Write(ChunkType::kSummary, EncodeSummary(summary));
  writer.Close();
}

void SitOut(Remains remains, const std::string& why) {
  std::vector<int>& listen_fds = remains.listen_fds;
  for (const int fd : listen_fds) RefuseWaiting(fd);
  while (remains.control_fd >= 0) {
    std::vector<pollfd> fds = {{remains.control_fd, POLLIN, 0}};
    for (const int fd : listen_fds) fds.push_back({fd, POLLIN, 0});
    poll(fds.data(), fds.size(), remains.stopped_launcher != 0 ? kLookMs : -1);
    for (size_t i = listen_fds.size(); i-- > 0;) {
      if (fds[i + 1].revents == 0 || RefuseWaiting(listen_fds[i]) > 0) continue;
      close(listen_fds[i]);  // no descriptor to be had, not even for a refusal
      listen_fds.erase(listen_fds.begin() + static_cast<ptrdiff_t>(i));
    }
    if (remains.stopped_launcher != 0 && !IsStopped(remains.main_pid) &&
        IsStopped(remains.stopped_launcher)) {
      kill(remains.stopped_launcher, SIGCONT);
    }
    if (fds[0].revents != 0 && !Hear(&remains, why)) break;
  }
  if (remains.control_fd >= 0) close(remains.control_fd);
  for (const int fd : listen_fds) close(fd);
}

}  // namespace mallogram
