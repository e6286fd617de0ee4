#include "analyzer/sweep/process.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "analyzer/command/files.h"

namespace mallogram {
namespace {

namespace fs = std::filesystem;

// Of record: as env(1) and shells have them.
constexpr int kOwnFailure = 125, kNotFound = 127;
constexpr absl::string_view kRecorderSays = "mallogram: ";

std::vector<std::string> RecordCommand(const SweepPlan& plan, const RunKey& key) {
  std::error_code ignored;
  const std::string recording =
      fs::absolute(RunDirectory(plan, key), ignored) / kProgramRecording;
  std::vector<std::string> argv = {"mallogram", "record", "--quiet",
                                   absl::StrCat("--output=", recording)};
  argv.insert(argv.end(), plan.record_options.begin(), plan.record_options.end());
  argv.push_back("--");
  const std::vector<std::string> command = RunCommand(plan, key);
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

// Descriptors of the child's standard streams; closed with the object.
class Streams {
 public:
  ~Streams() {
    for (const int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }
  absl::Status Open(const SweepPlan& plan, const RunKey& key) {
    std::string input = RunInput(plan, key);
    if (input.empty()) {
      input = "/dev/null";
    } else if (input[0] != '/' && !plan.working_directory.empty()) {
      input = absl::StrCat(plan.working_directory, "/", input);
    }
    const std::string directory = RunDirectory(plan, key);
    const absl::Status status = OpenOne(0, input, O_RDONLY);
    if (!status.ok()) return status;
    constexpr int kNew = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    const absl::Status out =
        OpenOne(1, absl::StrCat(directory, "/", kStdoutFile), kNew);
    if (!out.ok()) return out;
    return OpenOne(2, absl::StrCat(directory, "/", kStderrFile), kNew);
  }
  // In the child. False: errno.
  bool Install() const {
    for (int fd = 0; fd < 3; ++fd) {
      if (dup2(fds_[fd], fd) < 0) return false;
    }
    return true;
  }

 private:
  absl::Status OpenOne(int which, const std::string& path, int flags) {
    // Above the standard ones, which may be closed.
    const int fd = open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (fd < 0) return FileError("open", path);
    fds_[which] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return fds_[which] >= 0 ? absl::OkStatus() : FileError("open", path);
  }

  int fds_[3] = {-1, -1, -1};
};

[[noreturn]] void BecomeRecorder(const SweepPlan& plan, const Streams& streams,
                                 char* const* argv, const sigset_t& mask,
                                 pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(kOwnFailure);  // it died before prctl
  if (streams.Install() && (plan.working_directory.empty() ||
                            chdir(plan.working_directory.c_str()) == 0)) {
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    execv("/proc/self/exe", argv);
  }
  dprintf(STDERR_FILENO, "mallogram: the run cannot be started%s%s: %s\n",
          plan.working_directory.empty() ? "" : " in ",
          plan.working_directory.c_str(), strerror(errno));
  _exit(kOwnFailure);
}

struct ProcessStat {
  std::string name;
  pid_t parent = 0;
};

// Of /proc/PID/stat: "PID (NAME) STATE PARENT …", where NAME may hold anything.
bool ReadStat(absl::string_view pid, ProcessStat* result) {
  const absl::StatusOr<std::string> text =
      ReadTextFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!text.ok()) return false;
  const size_t open = text->find('('), close = text->rfind(')');
  if (open == std::string::npos || close == std::string::npos) return false;
  result->name = text->substr(open + 1, close - open - 1);
  const std::vector<std::string> rest =
      absl::StrSplit(text->substr(close + 1), ' ', absl::SkipEmpty());
  return rest.size() > 1 && absl::SimpleAtoi(rest[1], &result->parent);
}

std::string SignalText(int number) {
  const char* const name = sigabbrev_np(number);
  return name != nullptr ? absl::StrCat("SIG", name)
                         : absl::StrCat("signal ", number);
}

// ": \"last words\"; see FILE"
std::string LastWords(const std::string& directory) {
  const std::string file = absl::StrCat(directory, "/", kStderrFile);
  const std::string line = LastLine(file);
  if (line.empty()) return absl::StrCat("; its standard error is empty");
  return absl::StrCat(": ", line, " (see ", file, ")");
}

// On a full disk nobody's last words can be kept, ours included.
bool IsFull(const std::string& directory) {
  constexpr uint64_t kLeast = 64 << 10;
  struct statvfs info;
  return statvfs(directory.c_str(), &info) == 0 && info.f_blocks != 0 &&
         uint64_t{info.f_bavail} * uint64_t{info.f_frsize} < kLeast;
}

}  // namespace

absl::StatusOr<pid_t> StartRun(const SweepPlan& plan, const RunKey& key,
                               const sigset_t& mask) {
  Streams streams;
  const absl::Status status = streams.Open(plan, key);
  if (!status.ok()) return status;
  const std::vector<std::string> command = RecordCommand(plan, key);
  std::vector<char*> argv;
  for (const std::string& argument : command) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeRecorder(plan, streams, argv.data(), mask, parent);
  if (pid < 0) return FileError("start", "a process");
  return pid;
}

std::set<pid_t> ProgramProcesses(pid_t recorder) {
  std::multimap<pid_t, pid_t> children;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    pid_t pid = 0;
    ProcessStat stat;
    if (absl::SimpleAtoi(name, &pid) && ReadStat(name, &stat) &&
        !(stat.parent == recorder && stat.name == "mgram-collector")) {
      children.emplace(stat.parent, pid);
    }
  }
  std::set<pid_t> found;
  std::vector<pid_t> open = {recorder};
  while (!open.empty()) {
    const auto [begin, end] = children.equal_range(open.back());
    open.pop_back();
    for (auto child = begin; child != end; ++child) {
      if (found.insert(child->second).second) open.push_back(child->second);
    }
  }
  return found;
}

RunEnd JudgeRun(const SweepPlan& plan, const RunKey& key, int wait_status) {
  const std::string directory = RunDirectory(plan, key);
  const std::string title = RunTitle(plan, key);
  RunEnd end;
  end.exit_status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status)
                                             : WEXITSTATUS(wait_status);
  const auto fail = [&end](const std::string& text) {
    end.failure = absl::FailedPreconditionError(text);
    return end;
  };
  if (IsFull(directory)) {
    end.hopeless = true;
    return fail(absl::StrCat("no space is left in ", plan.directory,
                             ", in the run of ", title));
  }
  const bool recorded = !FindRecordings(directory).empty();
  // The recorder's own words come last.
  std::string line = LastLine(absl::StrCat(directory, "/", kStderrFile));
  absl::string_view said = line;
  const bool recorder_spoke = absl::ConsumePrefix(&said, kRecorderSays);
  const bool own_status = end.exit_status >= kOwnFailure &&
                          end.exit_status <= kNotFound && !WIFSIGNALED(wait_status);
  if (recorder_spoke && own_status && !recorded) {
    end.hopeless = true;
    return fail(std::string(said));
  }
  if (recorder_spoke && end.exit_status == kOwnFailure) {
    return fail(absl::StrCat("the run of ", title, " was not recorded: ", said));
  }
  if (WIFSIGNALED(wait_status)) {
    return fail(absl::StrCat("the run of ", title, " was killed by ",
                             SignalText(WTERMSIG(wait_status)),
                             LastWords(directory)));
  }
  if (end.exit_status != 0 && !plan.allow_failure) {
    return fail(absl::StrCat("the run of ", title, " ended with exit status ",
                             end.exit_status, LastWords(directory),
                             "; --allow-failure takes such runs"));
  }
  if (!recorded) {
    return fail(absl::StrCat("the run of ", title, " was not recorded",
                             recorder_spoke ? absl::StrCat(": ", said) : ""));
  }
  if (recorder_spoke && absl::StartsWith(said, "the collector ")) {
    return fail(absl::StrCat("the recording of ", title, " is not whole: ", said));
  }
  return end;
}

}  // namespace mallogram
