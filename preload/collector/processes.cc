#include "preload/collector/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#ifndef SO_PEERPIDFD  // Linux 6.5; glibc 2.36 does not know it
#define SO_PEERPIDFD 77
#endif

namespace mallogram {
namespace {

std::string ReadSmallFile(const std::string& path) {
  std::string content;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return content;
  char buffer[4096];
  const ssize_t bytes = read(fd, buffer, sizeof(buffer));
  if (bytes > 0) content.assign(buffer, static_cast<size_t>(bytes));
  close(fd);
  return content;
}

// Field `number` (1-based, as in proc(5)) of /proc/PID/stat, from the third on:
// the second is the name in parentheses, which may hold anything.
std::string StatField(pid_t pid, int number) {
  const std::string stat = ReadSmallFile(absl::StrCat("/proc/", pid, "/stat"));
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

}  // namespace

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
  peer.pidfd = static_cast<int>(syscall(SYS_pidfd_open, peer.pid, 0));
  if (peer.pidfd < 0) peer.gone = errno == ESRCH || !ProcessExists(peer.pid);
  return peer;
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
  // Field 52 is what the parent's waitpid will see.
  const std::string state = StatField(pid, 3);
  const std::string status = StatField(pid, 52);
  if ((state != "Z" && state != "X") || status.empty()) return {};
  // Still that process? A zombie takes signal 0; once reaped, its pidfd does not.
  if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) != 0) {
    return {};
  }
  return EndFromWaitStatus(atoi(status.c_str()));
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

std::string CommandNameOf(pid_t pid) {
  std::string name = ReadSmallFile(absl::StrCat("/proc/", pid, "/comm"));
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

}  // namespace mallogram
