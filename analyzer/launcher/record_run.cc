#include "analyzer/launcher/record_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "analyzer/command/exit.h"
#include "preload/collector/control.h"
#include "preload/collector/hello.h"
#include "preload/collector/processes.h"

namespace mallogram {
namespace {

// True if the program has got this one, too: the kernel sends what comes from the
// terminal (^C, ^\, ^Z, resize) to the whole process group. Only the hang-up goes
// to the session leader alone, which without us would be the program.
bool ProgramHasIt(const siginfo_t& info) {
  if (info.si_code <= 0) return false;  // sent by a process
  switch (info.si_signo) {
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGWINCH:
      return true;
    case SIGHUP:
    case SIGCONT:
      return getsid(0) != getpid();
    case SIGPIPE:  // our own
      return true;
    default:  // SIGALRM of a timer that was set before we were executed
      return false;
  }
}

// Passes a signal on that reached the launcher alone.
void Forward(const siginfo_t& info, pid_t program) {
  if (ProgramHasIt(info)) return;
  if (info.si_signo == SIGCONT) {
    // fg continues the group; a program that runs needs no second one.
    if (IsStopped(program)) kill(program, SIGCONT);
    return;
  }
  if (info.si_code == SI_QUEUE) {
    sigqueue(program, info.si_signo, info.si_value);
  } else {
    kill(program, info.si_signo);
  }
}

// The program has been stopped: so are we, until somebody continues us. If only the
// program is continued (job control by pid), the collector continues us.
void StopToo(pid_t program, int control_fd) {
  if (!SendControl(control_fd, {ControlKind::kStopped, getpid(), 0})) {
    return;  // no collector: nobody could continue us
  }
  kill(getpid(), SIGSTOP);
  SendControl(control_fd, {ControlKind::kRunning, 0, 0});
  // Not if it was continued before us: with a tracer (--leak-check full) it looks
  // as if it were stopped while it takes the signal.
  siginfo_t info{};
  const bool continued =
      waitid(P_PID, static_cast<id_t>(program), &info, WCONTINUED | WNOHANG) == 0 &&
      info.si_pid == program;
  if (!continued && IsStopped(program)) kill(program, SIGCONT);
}

absl::Status CannotExecute(const char* name, int error) {
  const std::string message =
      absl::StrCat(name, " cannot be executed: ", strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  return absl::PermissionDeniedError(message);
}
// A real-time policy that says so, or a priority above the usual, ends at a fork,
// which would not have been there without us (chrt -R).
constexpr uint64_t kResetOnFork = 1;  // SCHED_FLAG_RESET_ON_FORK
// Of the kernel's struct sched_attr.
struct SchedulingHead {
  uint32_t size, policy;
  uint64_t flags;
};

}  // namespace

Launch::Launch() {
  // Placeholders in closed places, closed again by exec.
  int fd;
  do {
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd < 3);
  if (fd >= 0) close(fd);

  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &mask_);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, &child_action_);
  sigaction(SIGXFSZ, &standard, &too_large_action_);
  nice_ = getpriority(PRIO_PROCESS, 0);
  syscall(SYS_sched_getattr, 0, scheduling_, sizeof(scheduling_), 0);
  ResourceLimits::Raise();
}

// A write of ours beyond `ulimit -f` has left a signal behind: it waits even where
// it is ignored, since it is blocked, until it is ignored anew.
void Launch::ForgetTooLarge() {
  struct sigaction ignore = {}, before;
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &before);
  sigaction(SIGXFSZ, &before, nullptr);
}

// What the program is to find as it was. Async-signal-safe.
void Launch::GiveBack() const {
  limits_.Restore();
  ForgetTooLarge();
  sigaction(SIGCHLD, &child_action_, nullptr);
  sigaction(SIGXFSZ, &too_large_action_, nullptr);
  sigprocmask(SIG_SETMASK, &mask_, nullptr);
}

int Launch::Become(char* const* argv) const {
  GiveBack();
  execvp(argv[0], argv);
  return errno == ENOENT ? kNotFound : kNotExecutable;
}

absl::StatusOr<pid_t> Launch::Start(const std::string& path, char* const* argv,
                                    const std::vector<std::string>& environment,
                                    int control_fd) {
  std::vector<char*> envp;
  envp.reserve(environment.size() + 1);
  for (const std::string& entry : environment) {
    envp.push_back(const_cast<char*>(entry.c_str()));
  }
  envp.push_back(nullptr);
  int failure[2];  // says why exec failed; closed by its success
  if (pipe2(failure, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("pipe: ", strerror(errno), LimitBehind(errno)));
  }
  const pid_t pid = fork();
  if (pid < 0) {
    const int error = errno;
    close(failure[0]);
    close(failure[1]);
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot fork: ", strerror(error), LimitBehind(error)));
  }
  if (pid == 0) {
    SendControl(control_fd, {ControlKind::kStarted, getpid(), 0});
    SchedulingHead head;
    memcpy(&head, scheduling_, sizeof(head));
    if ((head.flags & kResetOnFork) != 0) {
      setpriority(PRIO_PROCESS, 0, nice_);
      syscall(SYS_sched_setattr, 0, scheduling_, 0);
    }
    GiveBack();
    execvpe(path.c_str(), argv, envp.data());  // a text without "#!" goes to sh
    const int error = errno;
    [[maybe_unused]] const ssize_t ignored =
        write(failure[1], &error, sizeof(error));
    _exit(error == ENOENT ? kNotFound : kNotExecutable);
  }
  close(failure[1]);
  int error = 0;
  const ssize_t got = read(failure[0], &error, sizeof(error));
  close(failure[0]);
  if (got != sizeof(error)) return pid;
  waitpid(pid, nullptr, 0);
  return CannotExecute(argv[0], error);
}

void Launch::LetGo(const CollectorProcess& collector) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  ForgetTooLarge();  // what comes from now on comes from outside
  std::vector<int> keep = collector.listen_fds;
  keep.push_back(collector.control_fd);
  if (collector.words_fd >= 0) keep.push_back(collector.words_fd);
  CloseAllBut(std::move(keep));
}

int Launch::Wait(pid_t program, CollectorProcess* collector) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    int status;
    const pid_t changed = waitpid(program, &status, WNOHANG | WUNTRACED);
    if (changed == program) {
      if (!WIFSTOPPED(status)) return status;
      StopToo(program, collector->control_fd);
      continue;
    }
    if (changed < 0 && errno != EINTR) return 0;  // not our child any more: a bug
    if (waitpid(collector->pid, &status, WNOHANG) == collector->pid) {
      collector->wait_status = status;
      // Images that it has not taken would be waited for; later ones meet no
      // socket.
      for (const int fd : collector->listen_fds) {
        RefuseWaiting(fd);
        close(fd);
      }
    }
    siginfo_t info;
    if (sigwaitinfo(&all, &info) < 0) continue;
    if (info.si_signo != SIGCHLD || info.si_code <= 0) Forward(info, program);
  }
}

void Launch::EndLike(int status) {
  if (!WIFSIGNALED(status)) _exit(WEXITSTATUS(status));
  const int signal_number = WTERMSIG(status);
  // The program has dumped its core if it wanted to.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal_number, &standard, nullptr);
  raise(signal_number);  // blocked, so delivered below
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal_number);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  _exit(128 + signal_number);
}

}  // namespace mallogram
