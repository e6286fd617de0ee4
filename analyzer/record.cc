#include "analyzer/record.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "analyzer/record_allocator.h"
#include "analyzer/record_check.h"
#include "analyzer/record_options.h"
#include "analyzer/record_preload.h"
#include "analyzer/record_run.h"
#include "analyzer/record_summary.h"
#include "analyzer/suggest.h"
#include "preload/collector/collector.h"
#include "preload/collector/control.h"
#include "preload/collector/naming.h"
#include "preload/collector/processes.h"
#include "preload/image.h"
#include "preload/trace_format.h"

namespace mallogram {
namespace {

// As env(1), timeout(1) and nohup(1): our own failures do not look like the
// program's.
constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

// One write, so that lines of several processes do not mix.
void Say(const std::string& text) {
  const std::string line = absl::StrCat("mallogram: ", text, "\n");
  [[maybe_unused]] const ssize_t ignored =
      write(STDERR_FILENO, line.data(), line.size());
}

int Fail(int exit_status, const std::string& text) {
  Say(text);
  return exit_status;
}

int FailWith(const absl::Status& status) {
  int exit_status = kOwnFailure;
  if (absl::IsNotFound(status)) exit_status = kNotFound;
  if (absl::IsPermissionDenied(status)) exit_status = kNotExecutable;
  return Fail(exit_status, std::string(status.message()));
}

// A directory of our own, for nobody else, with the socket in it.
class Meeting {
 public:
  absl::Status Open() {
    const char* runtime = getenv("XDG_RUNTIME_DIR");
    absl::Status status = absl::InternalError("");
    if (runtime != nullptr && runtime[0] == '/') status = OpenIn(runtime);
    if (!status.ok()) status = OpenIn("/tmp");
    return status;
  }
  void Remove() const {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

 private:
  absl::Status OpenIn(const std::string& parent) {
    sockaddr_un address{};
    directory_ = absl::StrCat(parent, "/mallogram-XXXXXX");
    if (directory_.size() + sizeof("/socket") > sizeof(address.sun_path)) {
      return absl::InternalError("XDG_RUNTIME_DIR is too long");
    }
    if (mkdtemp(directory_.data()) == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          "cannot make a directory in ", parent, ": ", strerror(errno)));
    }
    path_ = absl::StrCat(directory_, "/socket");
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    fd_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    // A long queue: processes never wait for us, so all of a burst must fit.
    if (fd_ < 0 ||
        bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(fd_, 4096) != 0) {
      const absl::Status status = absl::FailedPreconditionError(absl::StrCat(
          "cannot open a socket in ", directory_, ": ", strerror(errno)));
      Remove();
      return status;
    }
    return absl::OkStatus();
  }

  std::string directory_, path_;
  int fd_ = -1;
};

// Forks the collector.
absl::StatusOr<CollectorProcess> StartCollector(const RecordOptions& options,
                                                const Meeting& meeting) {
  int control[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
    return absl::InternalError(absl::StrCat("socketpair: ", strerror(errno)));
  }
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(absl::StrCat("fork: ", strerror(errno)));
  if (pid == 0) {
    BecomeCollector({meeting.fd(), control[1]});
    CollectorOptions collector;
    collector.output = options.output;
    collector.allocator = options.allocator;
    collector.socket_path = meeting.path();
    // Errors are in its report.
    RunCollector(collector, meeting.fd(), -1, control[1]).IgnoreError();
    // Children of the program may come until the very end, so this goes last.
    meeting.Remove();
    _exit(0);
  }
  close(control[1]);
  return CollectorProcess{pid, control[0], meeting.fd()};
}

// The collector's answer to kEnded; empty if it died. It may take its time over a
// long backlog: a second ^C (or SIGTERM) gives up the wait, not the trace.
std::string AwaitReport(int control_fd) {
  sigset_t impatience;
  sigemptyset(&impatience);
  for (const int s : {SIGINT, SIGTERM, SIGQUIT}) sigaddset(&impatience, s);
  const timespec now{0, 0};
  for (int signals = 0; signals < 2;) {
    pollfd ready{control_fd, POLLIN, 0};
    if (poll(&ready, 1, 100) == 1) return ReceivePacket(control_fd);
    if (sigtimedwait(&impatience, nullptr, &now) > 0) ++signals;
  }
  return "";
}

// What a collector that died has left of this process, for the last words.
std::string FindTraceOf(const RecordOptions& options, pid_t pid) {
  struct stat info;
  const std::string& output = options.output;
  const bool is_directory =
      !output.empty() && stat(output.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  if (!output.empty() && !is_directory) {
    return access(output.c_str(), F_OK) == 0 ? output : "";
  }
  DIR* directory = opendir(is_directory ? output.c_str() : ".");
  if (directory == nullptr) return "";
  std::string found;
  const std::string suffix = absl::StrCat(".", pid, kTraceSuffix);
  while (const dirent* entry = readdir(directory)) {
    if (absl::EndsWith(entry->d_name, suffix)) found = entry->d_name;
  }
  closedir(directory);
  if (found.empty() || !is_directory) return found;
  return absl::StrCat(output, absl::EndsWith(output, "/") ? "" : "/", found);
}

bool ColorOnStderr() {
  const char* no_color = getenv("NO_COLOR");
  const char* term = getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') &&
         term != nullptr && strcmp(term, "dumb") != 0;
}

// Why no process has handed over an image.
std::string WhyNothing(const char* program, int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return absl::StrCat(program, " ", DescribeEnd(wait_status),
                        " before the library in it reported: nothing was recorded");
  }
  return absl::StrCat(program, " ran, but nothing was recorded: the library in it ",
                      "did not report. Does it clear its environment, or is a ",
                      "sandbox in the way?");
}

// The last lines. Returns false if the recording itself failed.
bool Conclude(const RecordOptions& options, const std::string& packet, pid_t pid,
              int wait_status) {
  const char* program = options.program[0];
  const absl::StatusOr<RecordingReport> report = DecodeReport(packet);
  if (!report.ok()) {
    const std::string trace = FindTraceOf(options, pid);
    Say(packet.empty() && trace.empty()
            ? "the collector was killed before it could write a trace"
        : packet.empty() ? absl::StrCat("the collector was killed; ", trace,
                                        " holds what was recorded until then")
                         : std::string(report.status().message()));
    return true;  // no fault of the file system: the status stays the program's
  }
  if (!report->connected) {
    Say(WhyNothing(program, wait_status));
    return true;
  }
  const FinishedFile& main = report->main;
  if (!options.quiet && !main.path.empty()) {
    SummaryContext context;
    context.program = program;
    context.wait_status = wait_status;
    context.color = ColorOnStderr();
    struct stat info;
    if (stat(main.path.c_str(), &info) == 0) {
      context.file_bytes = static_cast<uint64_t>(info.st_size);
    }
    const std::string text = FormatRecordSummary(*report, context);
    [[maybe_unused]] const ssize_t ignored =
        write(STDERR_FILENO, text.data(), text.size());
  }
  if (!options.quiet && report->still_running > 0) {
    Say(absl::StrCat(report->still_running,
                     report->still_running == 1 ? " process goes on and is"
                                                : " processes go on and are",
                     " still being recorded"));
  }
  if (report->troubled > 0) {
    Say(absl::StrCat(report->troubled, " of the other processes could not be ",
                     "recorded completely: ", report->first_trouble));
  }
  if (!main.error.empty()) {
    Say(main.path.empty() ? absl::StrCat(program, " was not recorded: ", main.error)
                          : absl::StrCat("the trace ", main.path,
                                         " is incomplete: ", main.error));
    return false;
  }
  return true;
}

// Everything that can be known to go wrong does so here, before anything runs.
absl::Status Prepare(const RecordOptions& options, std::string* path,
                     std::string* preload) {
  const absl::StatusOr<std::string> program = FindProgram(options.program[0]);
  if (!program.ok()) {
    const std::string verb =
        absl::IsNotFound(program.status())
            ? Nearest(options.program[0], {"record", "report", "info"})
            : "";
    if (verb.empty()) return program.status();
    return absl::NotFoundError(absl::StrCat(
        program.status().message(), "; did you mean mallogram ", verb, "?"));
  }
  std::string allocator;
  if (!options.allocator.empty()) {
    const absl::StatusOr<std::string> found = FindAllocator(options.allocator);
    if (!found.ok()) return absl::FailedPreconditionError(found.status().message());
    allocator = *found;
  }
  const char* users = getenv("LD_PRELOAD");
  std::vector<std::string> behind = PreloadEntries(users != nullptr ? users : "");
  if (!allocator.empty()) behind.push_back(allocator);
  const absl::StatusOr<std::string> library = FindLibrary(
      options.LooksForMismatches() || BringsOperatorNew(*program, behind));
  if (!library.ok())
    return absl::FailedPreconditionError(library.status().message());
  *path = *program;
  *preload = PreloadList(*library, allocator, users != nullptr ? users : "");
  return PrepareOutput(options.output, ".");  // last: it removes an older trace
}

}  // namespace

int RunRecord(int argc, char** argv) {
  RecordOptions options;
  absl::Status status = ParseRecordOptions(argc, argv, &options);
  if (absl::IsCancelled(status)) {
    fputs(kRecordHelp, stdout);
    return fflush(stdout) == 0 ? 0 : kOwnFailure;
  }
  if (!status.ok()) return Fail(kOwnFailure, std::string(status.message()));
  Launch launch;
  std::string path, preload;
  status = Prepare(options, &path, &preload);
  if (!status.ok()) return FailWith(status);

  Meeting meeting;
  status = meeting.Open();
  if (!status.ok()) return Fail(kOwnFailure, std::string(status.message()));
  std::vector<LaunchVariable> variables = {{"LD_PRELOAD", preload},
                                           {kEnvSocket, meeting.path()}};
  if (!options.max_depth.empty())
    variables.push_back({kEnvMaxDepth, options.max_depth});
  if (!options.sample.empty()) variables.push_back({kEnvSample, options.sample});
  if (!options.leak_check.empty())
    variables.push_back({kEnvLeakCheck, options.leak_check});
  if (!options.on_full.empty()) variables.push_back({kEnvOnFull, options.on_full});

  if (options.LooksForMismatches()) variables.push_back({kEnvMismatches, "1"});

  const absl::StatusOr<CollectorProcess> collector =
      StartCollector(options, meeting);
  if (!collector.ok()) {
    meeting.Remove();
    return Fail(kOwnFailure, std::string(collector.status().message()));
  }
  // From here on the collector removes the meeting place, unless it is killed.
  const absl::StatusOr<pid_t> program = launch.Start(
      path, options.program, ProgramEnvironment(variables), collector->control_fd);
  if (!program.ok()) return FailWith(program.status());

  Launch::LetGo(*collector);
  const int wait_status = Launch::Wait(*program, *collector);
  std::string packet;
  if (SendControl(collector->control_fd,
                  {ControlKind::kEnded, *program, wait_status})) {
    packet = AwaitReport(collector->control_fd);
  }
  if (packet.empty()) meeting.Remove();
  const bool recorded = Conclude(options, packet, *program, wait_status);
  if (!recorded && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
    return kOwnFailure;
  }
  Launch::EndLike(wait_status);
}

int RunCollect(int argc, char** argv) {
  const option known[] = {{"fd", required_argument, nullptr, 'f'},
                          {"output", required_argument, nullptr, 'o'},
                          {nullptr, 0, nullptr, 0}};
  CollectorOptions options;
  const char* out = getenv(kEnvOut);
  if (out != nullptr) options.output = out;
  int fd = -1;
  opterr = 0;
  optind = 0;
  for (int c; (c = getopt_long(argc, argv, "o:", known, nullptr)) != -1;) {
    if (c == 'o') {
      options.output = optarg;
    } else if (c != 'f' || !absl::SimpleAtoi(optarg, &fd) || fd < 3) {
      return Fail(kOwnFailure, "collect is started by the library, not by hand");
    }
  }
  if (fd < 0) {
    return Fail(kOwnFailure, "collect is started by the library, not by hand");
  }
  BecomeCollector({fd});
  return RunCollector(options, -1, fd, -1).ok() ? 0 : kOwnFailure;
}

}  // namespace mallogram
