#include "preload/collector/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "preload/collector/resource_limits.h"

#ifndef SO_PEERPIDFD  // Linux 6.5; glibc 2.36 does not know it
#define SO_PEERPIDFD 77
#endif

namespace mallogram {
namespace {

// Field `number` (1-based, as in proc(5)) of /proc/PID/stat, from the third on:
// the second is the name in parentheses, which may hold anything.
std::string StatField(pid_t pid, int number) {
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  size_t at = stat.rfind(')');
  if (at == std::string::npos) return "";
  at += 2;
  for (int field = 3; field < number; ++field) {
    at = stat.find(' ', at);
    if (at == std::string::npos) return "";
    ++at;
  }
  return at < stat.size() ? stat.substr(at, stat.find_first_of(" \n", at) - at)
                          : "";
}

// linux/pidfd.h of Linux 6.15, in the first size that there was.
struct PidfdInfo {
  static constexpr uint64_t kExit = 1 << 3;
  uint64_t mask, cgroup;
  uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);

// The wait status of a process that has been reaped, which the kernel keeps for
// those who hold its pidfd. False: an older kernel, or it has not been.
bool StatusOfReaped(int pidfd, int* status) {
  PidfdInfo info{};
  info.mask = PidfdInfo::kExit;
  if (pidfd < 0 || ioctl(pidfd, _IOWR(0xff, 11, PidfdInfo), &info) != 0 ||
      (info.mask & PidfdInfo::kExit) == 0) {
    return false;
  }
  *status = info.exit_code;
  return true;
}

// The same of one that has not.
bool StatusOfZombie(pid_t pid, int pidfd, int* status) {
  // Field 52 is what the parent's waitpid will see.
  const std::string state = StatField(pid, 3);
  const std::string text = StatField(pid, 52);
  if ((state != "Z" && state != "X") || text.empty()) return false;
  // Still that process? A zombie takes signal 0; once reaped, its pidfd does not.
  if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) != 0) {
    return false;
  }
  *status = atoi(text.c_str());
  return true;
}

}  // namespace

std::string ReadFile(const std::string& path) {
  std::string content;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return content;
  char buffer[4096];
  for (ssize_t bytes; (bytes = read(fd, buffer, sizeof(buffer))) > 0;) {
    content.append(buffer, static_cast<size_t>(bytes));
  }
  close(fd);
  return content;
}

int OpenProcess(pid_t pid) {
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

Peer PeerOf(int socket) {
  Peer peer;
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.pid = credentials.pid;
  }
  size = sizeof(peer.pidfd);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &peer.pidfd, &size) == 0) {
    return peer;
  }
  // ESRCH, or EINVAL on older kernels: ended and reaped. ENOPROTOOPT: no such call.
  peer.pidfd = -1;
  if (peer.pid <= 0) return peer;
  peer.pidfd = OpenProcess(peer.pid);
  if (peer.pidfd < 0) peer.gone = errno == ESRCH || !ProcessExists(peer.pid);
  return peer;
}

pid_t ParentOf(pid_t pid) { return atoi(StatField(pid, 4).c_str()); }

ProcessMarks MarksOf(pid_t pid) {
  ProcessMarks marks;
  const std::string state = StatField(pid, 3);
  if (state.empty() || state == "Z" || state == "X") return marks;
  marks.start = strtoull(StatField(pid, 22).c_str(), nullptr, 10);
  marks.arguments = strtoull(StatField(pid, 48).c_str(), nullptr, 10);
  return marks;
}

bool ProcessExists(pid_t pid) {
  if (pid <= 0) return false;
  if (kill(pid, 0) != 0 && errno == ESRCH) return false;
  // A zombie is as gone as can be.
  const std::string state = StatField(pid, 3);
  return state != "Z" && state != "X";
}

ProcessEnd EndFromWaitStatus(int status) {
  if (WIFSIGNALED(status)) return {EndReason::kSignalled, WTERMSIG(status)};
  if (WIFEXITED(status)) return {EndReason::kExited, WEXITSTATUS(status)};
  return {};
}

ProcessEnd EndOf(pid_t pid, int pidfd) {
  int status;
  // A zombie may be reaped while we look.
  if (StatusOfZombie(pid, pidfd, &status) || StatusOfReaped(pidfd, &status)) {
    return EndFromWaitStatus(status);
  }
  return {};
}

bool IsStopped(pid_t pid) {
  const std::string state = StatField(pid, 3);
  return state == "T" || state == "t";
}

Executable ExecutableOf(pid_t pid) {
  Executable exe;
  const std::string link = absl::StrCat("/proc/", pid, "/exe");
  char path[PATH_MAX];
  const ssize_t bytes = readlink(link.c_str(), path, sizeof(path));
  if (bytes <= 0) return exe;
  exe.path.assign(path, static_cast<size_t>(bytes));
  struct stat info;
  if (stat(link.c_str(), &info) == 0) {
    exe.device = info.st_dev;
    exe.inode = info.st_ino;
  }
  return exe;
}

bool MayMap(pid_t pid, uint64_t inode, absl::string_view name) {
  // "start-end perms offset major:minor inode      path"
  const std::string maps = ReadFile(absl::StrCat("/proc/", pid, "/maps"));
  if (maps.empty()) return true;
  const std::string number = absl::StrCat(" ", inode, " ");
  for (size_t at = 0; (at = maps.find(number, at)) != std::string::npos; ++at) {
    const size_t end = maps.find('\n', at);
    if (maps.substr(at, end - at).find(name.data(), 0, name.size()) !=
        std::string::npos) {
      return true;
    }
  }
  return false;
}

std::string VariableOf(pid_t pid, absl::string_view name) {
  const std::string environment = ReadFile(absl::StrCat("/proc/", pid, "/environ"));
  const std::string label = absl::StrCat(name, "=");
  for (size_t at = 0; at < environment.size();) {
    const size_t end = std::min(environment.find('\0', at), environment.size());
    if (environment.compare(at, label.size(), label) == 0) {
      return environment.substr(at + label.size(), end - at - label.size());
    }
    at = end + 1;
  }
  return "";
}

std::vector<pid_t> ProcessesWithVariable(absl::string_view entry) {
  std::vector<pid_t> found;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return found;
  const std::string needle = absl::StrCat(entry, absl::string_view("\0", 1));
  while (const dirent* process = readdir(proc)) {
    const pid_t pid = atoi(process->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    const std::string environment =
        ReadFile(absl::StrCat("/proc/", pid, "/environ"));
    const size_t at = environment.find(needle);
    if (at == 0 || (at != std::string::npos && environment[at - 1] == '\0')) {
      found.push_back(pid);
    }
  }
  closedir(proc);
  return found;
}

std::string CommandNameOf(pid_t pid) {
  std::string name = ReadFile(absl::StrCat("/proc/", pid, "/comm"));
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

void CloseAllBut(std::vector<int> keep_fds) {
  std::sort(keep_fds.begin(), keep_fds.end());
  unsigned int next = 3;
  for (const int fd : keep_fds) {
    if (fd < 0) continue;
    const auto keep = static_cast<unsigned int>(fd);
    if (keep > next) close_range(next, keep - 1, 0);
    next = std::max(next, keep + 1);
  }
  close_range(next, ~0u, 0);
}

void BecomeCollector(std::vector<int> keep_fds) {
  prctl(PR_SET_NAME, "mgram-collector");
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  // Also a descriptor or two for each process that is recorded.
  ResourceLimits::Raise();
  UseLittleMemory();
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, nullptr);
  CloseAllBut(std::move(keep_fds));
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  if (null > 2) close(null);
}

}  // namespace mallogram
