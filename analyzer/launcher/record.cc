#include "analyzer/launcher/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/suggest.h"
#include "analyzer/command/terminal.h"
#include "analyzer/command/verb_names.h"
#include "analyzer/launcher/record_allocator.h"
#include "analyzer/launcher/record_check.h"
#include "analyzer/launcher/record_last_words.h"
#include "analyzer/launcher/record_meeting.h"
#include "analyzer/launcher/record_options.h"
#include "analyzer/launcher/record_preload.h"
#include "analyzer/launcher/record_run.h"
#include "analyzer/launcher/record_summary.h"
#include "preload/collector/collector.h"
#include "preload/collector/control.h"
#include "preload/collector/naming.h"
#include "preload/collector/process_facts.h"
#include "preload/collector/processes.h"
#include "preload/collector/resource_limits.h"
#include "preload/image.h"
#include "preload/trace_format.h"

namespace mallogram {
namespace {

// As env(1), timeout(1) and nohup(1): our own failures do not look like the
// program's.
absl::Status OwnFailure(const absl::Status& status) {
  return WithExit(status, absl::IsNotFound(status)           ? kNotFound
                          : absl::IsPermissionDenied(status) ? kNotExecutable
                                                             : kOwnFailure);
}

// The program takes our place, for this reason. Allocates nothing: there may be no
// memory. Returns the exit status if it can't.
int RunUnrecorded(const Launch& launch, const RecordOptions& options,
                  absl::string_view reason) {
  for (const absl::string_view part :
       {absl::string_view("mallogram: "), absl::string_view(options.program[0]),
        absl::string_view(" is run without being recorded: "), reason,
        absl::string_view("\n")}) {
    [[maybe_unused]] const ssize_t ignored =
        write(STDERR_FILENO, part.data(), part.size());
  }
  return launch.Become(options.program);
}

// Forks the collector.
absl::StatusOr<CollectorProcess> StartCollector(const RecordOptions& options,
                                                Meeting* meeting) {
  int control[2], settled[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("socketpair: ", strerror(errno), LimitBehind(errno)));
  }
  if (pipe2(settled, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("pipe: ", strerror(errno), LimitBehind(errno)));
  }
  const int words = OpenLastWords();
  const pid_t pid = fork();
  if (pid < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot fork: ", strerror(errno), LimitBehind(errno)));
  }
  if (pid == 0) {
    meeting->Settle(getpid());
    close(settled[1]);
    char listening;  // or the end of the file, if there is no abstract socket
    ssize_t got;
    do {
      got = read(settled[0], &listening, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1) meeting->GiveUpAbstract();
    std::vector<int> keep = meeting->fds();
    keep.push_back(control[1]);
    keep.push_back(meeting->door());
    if (words >= 0) keep.push_back(words);
    BecomeCollector(std::move(keep));
    KeepLastWords(words);
    CollectorOptions collector;
    collector.key = meeting->key();
    collector.output = options.output;
    collector.allocator = options.allocator;
    collector.leak_budget_ns = options.leak_budget_ns;
    collector.socket_path = meeting->path();
    // Errors are in its report.
    RunCollector(collector, meeting->fds(), -1, control[1]).IgnoreError();
    // Children of the program may come until the very end, so this goes last.
    meeting->Remove();
    _exit(0);
  }
  close(control[1]);
  meeting->Settle(pid);
  const bool told = meeting->ListenAbstract() && write(settled[1], "", 1) == 1;
  if (!told) meeting->GiveUpAbstract();
  close(settled[0]);
  close(settled[1]);
  return CollectorProcess{pid, control[0], meeting->fds(), words};
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

// Why no process has handed over an image.
std::string WhyNothing(const char* program, int wait_status,
                       const std::string& limits) {
  if (WIFSIGNALED(wait_status)) {
    return absl::StrCat(program, " ", DescribeEnd(wait_status),
                        " before the library in it reported: nothing was recorded");
  }
  return absl::StrCat(
      program, " ran, but nothing was recorded: the library in it did not ",
      limits.empty() ? "report. Does it clear its environment, or is a "
                       "sandbox in the way?"
                     : absl::StrCat("report, under ", limits));
}

// The last lines. Returns false if the recording itself failed.
bool Conclude(const RecordOptions& options, const Launch& launch,
              const std::string& packet, const CollectorProcess& collector,
              pid_t pid, int wait_status) {
  const char* program = options.program[0];
  const absl::StatusOr<RecordingReport> report = DecodeReport(packet);
  if (!report.ok()) {
    const std::string trace = FindTraceOf(options, pid);
    const std::string end =
        DescribeCollectorsEnd(collector.wait_status, collector.words_fd);
    Say(!packet.empty() ? std::string(report.status().message())
        : collector.wait_status == -1 && !trace.empty()
            ? absl::StrCat(end, "; it may still be writing ", trace)
        : trace.empty() ? absl::StrCat(end, "; there is no trace")
                        : absl::StrCat(end, "; ", trace,
                                       " holds what was recorded until then"));
    return true;  // no fault of the file system: the status stays the program's
  }
  if (!report->connected) {
    Say(WhyNothing(program, wait_status, launch.limits().Narrow()));
    return true;
  }
  const FinishedFile& main = report->main;
  if (!options.quiet && !main.path.empty()) {
    SummaryContext context;
    context.program = program;
    context.wait_status = wait_status;
    context.color = DetectStyle(STDERR_FILENO).color;
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
    // A limit is the program's own: it is to end under it as it does without us.
    return NamesALimit(main.error);
  }
  return true;
}

// Ends a collector that is not needed after all: the program must find no child.
void Dismiss(const CollectorProcess& collector) {
  if (collector.pid <= 0) return;
  close(collector.control_fd);
  waitpid(collector.pid, nullptr, 0);
}

// Everything that can be known to go wrong does so here, before anything runs.
// *plain: why the program can only be run unrecorded; empty: it can be recorded.
absl::Status Prepare(const RecordOptions& options, std::string* path,
                     std::string* preload, std::string* plain) {
  const absl::StatusOr<std::string> program =
      FindProgram(options.program[0], plain);
  if (!program.ok()) {
    const std::string verb =
        absl::IsNotFound(program.status())
            ? Nearest(options.program[0], {kVerbNames.begin(), kVerbNames.end()})
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

// Everything until the program runs; returns its pid. `*collector` is filled in as
// soon as there is one. `*plain` is not empty: that is why it can only be run
// unrecorded, and it was not started.
absl::StatusOr<pid_t> Begin(const RecordOptions& options, Launch* launch,
                            Meeting* meeting, CollectorProcess* collector,
                            std::string* plain) {
  std::string path, preload;
  absl::Status status = Prepare(options, &path, &preload, plain);
  if (!status.ok()) return status;
  if (!plain->empty()) return 0;
  status = meeting->Open();
  if (!status.ok()) return status;
  const absl::StatusOr<CollectorProcess> started = StartCollector(options, meeting);
  if (!started.ok()) {
    meeting->Remove();
    return started.status();
  }
  // If its directory is still there, the collector removes it from here on.
  *collector = *started;
  std::vector<LaunchVariable> variables = {
      {"LD_PRELOAD", preload},
      {kEnvSocket, meeting->path()},
      {kEnvKey, absl::StrCat(meeting->key())},
      {kEnvFilters, absl::StrCat(StatusMeter(getpid()).ReadStatus().filters)}};
  if (!options.max_depth.empty())
    variables.push_back({kEnvMaxDepth, options.max_depth});
  if (!options.sample.empty()) variables.push_back({kEnvSample, options.sample});
  if (!options.leak_check.empty())
    variables.push_back({kEnvLeakCheck, options.leak_check});
  if (!options.on_full.empty()) variables.push_back({kEnvOnFull, options.on_full});
  if (options.LooksForMismatches()) variables.push_back({kEnvMismatches, "1"});
  const std::vector<std::string> environment = ProgramEnvironment(variables);

  return launch->Start(path, options.program, environment, collector->control_fd);
}

// What the program's end leaves to be said; false if the recording failed.
bool End(const RecordOptions& options, const Launch& launch, Meeting* meeting,
         CollectorProcess* collector, pid_t program, int wait_status) {
  std::string packet;
  if (SendControl(collector->control_fd,
                  {ControlKind::kEnded, program, wait_status})) {
    packet = AwaitReport(collector->control_fd);
  }
  if (packet.empty()) {
    if (collector->wait_status == -1) {
      collector->wait_status = AwaitCollectorsEnd(collector->pid);
    }
    meeting->Remove();
  }
  return Conclude(options, launch, packet, *collector, program, wait_status);
}

}  // namespace

absl::StatusOr<int> RunRecord(Arguments arguments) {
  const absl::StatusOr<RecordOptions> parsed = ParseRecordOptions(arguments);
  if (IsHelpAsked(parsed.status())) return parsed.status();
  if (!parsed.ok()) return WithExit(parsed.status(), kOwnFailure);
  const RecordOptions& options = *parsed;
  Launch launch;
  Meeting meeting;
  CollectorProcess collector;
  absl::StatusOr<pid_t> program = absl::UnknownError("");
  std::string plain;
  try {
    program = Begin(options, &launch, &meeting, &collector, &plain);
  } catch (const std::bad_alloc&) {
    Dismiss(collector);
    return RunUnrecorded(launch, options, "out of memory");
  }
  if (!program.ok()) {
    if (!absl::IsResourceExhausted(program.status()) &&
        !NamesALimit(program.status().message())) {
      return OwnFailure(program.status());
    }
    Dismiss(collector);
    return RunUnrecorded(launch, options, program.status().message());
  }
  if (!plain.empty()) {
    Say(plain);  // in spite of --quiet: whoever asked for a trace gets none
    return launch.Become(options.program);
  }

  Launch::LetGo(collector);
  const int wait_status = Launch::Wait(*program, &collector);
  bool recorded = true;
  try {
    recorded = End(options, launch, &meeting, &collector, *program, wait_status);
  } catch (const std::bad_alloc&) {
    constexpr absl::string_view kWords =
        "mallogram: out of memory: no summary of the recording\n";
    [[maybe_unused]] const ssize_t ignored =
        write(STDERR_FILENO, kWords.data(), kWords.size());
  }
  if (!recorded && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
    return kOwnFailure;
  }
  Launch::EndLike(wait_status);
}

absl::StatusOr<int> RunCollect(Arguments arguments) {
  CollectorOptions options;
  const char* out = getenv(kEnvOut);
  if (out != nullptr) options.output = out;
  const char* budget = getenv(kEnvLeakBudget);
  if (budget != nullptr) ParseLeakBudget(budget, &options.leak_budget_ns);
  int fd = -1;
  const std::vector<Option> rows = {
      {"--fd", 0, "N", "", Number(&fd, 3)},
      {"--output", 'o', "FILE", "", Store(&options.output)}};
  const absl::Status status = ParseOptions(arguments, rows).status();
  if (!status.ok() || fd < 0) {
    return WithExit(absl::FailedPreconditionError(
                        "collect is started by the library, not by hand"),
                    kOwnFailure);
  }
  BecomeCollector({fd});
  return RunCollector(options, {}, fd, -1).ok() ? 0 : kOwnFailure;
}

}  // namespace mallogram
