#include "preload/collector/check_request.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "preload/collector/control.h"
#include "preload/collector/processes.h"
#include "preload/image.h"
#include "preload/trace/bytes.h"

namespace mallogram {
namespace {

// Of an abstract name: the size counts.
socklen_t AbstractAddress(pid_t pid, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  const std::string name = absl::StrCat("mallogram-check-", pid);
  memcpy(address->sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

absl::Status NotRecorded(pid_t pid) {
  return absl::NotFoundError(absl::StrCat(
      "process ", pid, " is not being recorded by Mallogram, or not by you, or ",
      "with --leak-check none"));
}

// Anybody may make sockets in /tmp: who answers must be the process's owner, or
// root.
bool MayAnswer(int fd, pid_t pid) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  struct stat process;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         stat(absl::StrCat("/proc/", pid).c_str(), &process) == 0 &&
         (peer.uid == process.st_uid || peer.uid == 0);
}

bool PathAddress(absl::string_view path, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address->sun_path)) return false;
  memcpy(address->sun_path, path.data(), path.size());
  return true;
}

// Sockets of all launchers on this machine whose directories this user may enter.
std::vector<std::string> LauncherSockets() {
  std::vector<std::string> parents = {"/tmp"};
  const char* const runtime = getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && runtime[0] == '/') parents.push_back(runtime);
  std::vector<std::string> sockets;
  for (const std::string& parent : parents) {
    glob_t found{};
    const std::string pattern = absl::StrCat(parent, "/mallogram-*/socket");
    if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
      sockets.insert(sockets.end(), found.gl_pathv,
                     found.gl_pathv + found.gl_pathc);
    }
    globfree(&found);
  }
  return sockets;
}

// Asks the collector there. NotFound: nobody listens, or he does not know the
// process.
absl::StatusOr<CheckAnswer> Ask(const sockaddr_un& address, socklen_t size,
                                pid_t pid) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::InternalError(absl::StrCat("socket: ", strerror(errno)));
  const CheckMessage message{CheckMessage::kMagic, pid};
  std::string packet;
  const bool asked =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
      MayAnswer(fd, pid) &&
      send(fd, &message, sizeof(message), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(sizeof(message));
  if (asked) packet = ReceivePacket(fd);
  close(fd);
  if (!asked) return NotRecorded(pid);
  if (packet.empty()) {
    return absl::UnavailableError("the collector died before it answered");
  }
  ByteReader in(packet);
  CheckAnswer answer;
  answer.path = in.String();
  answer.index = static_cast<uint32_t>(in.Varint());
  answer.error = in.String();
  if (!in.ok()) return absl::DataLossError("the collector's answer is malformed");
  if (answer.error == kUnknownProcess) return NotRecorded(pid);
  if (!answer.error.empty()) return absl::FailedPreconditionError(answer.error);
  return answer;
}

}  // namespace

absl::StatusOr<CheckAnswer> RequestLeakCheck(pid_t pid) {
  if (!ProcessExists(pid)) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  sockaddr_un address{};
  absl::StatusOr<CheckAnswer> answer = NotRecorded(pid);
  if (PathAddress(VariableOf(pid, kEnvSocket), &address)) {
    answer = Ask(address, sizeof(address), pid);
  }
  if (absl::IsNotFound(answer.status())) {
    const socklen_t size = AbstractAddress(pid, &address);
    answer = Ask(address, size, pid);
  }
  if (!absl::IsNotFound(answer.status())) return answer;
  // Servers write their state over their environment, where `ps` shows it.
  for (const std::string& path : LauncherSockets()) {
    if (!PathAddress(path, &address)) continue;
    answer = Ask(address, sizeof(address), pid);
    // Somebody else's collector may be about to end.
    if (!absl::IsNotFound(answer.status()) && !absl::IsUnavailable(answer.status()))
      return answer;
  }
  return NotRecorded(pid);
}

bool ReceiveCheck(int connection, CheckMessage* message) {
  CheckMessage content{};
  const ssize_t got =
      recv(connection, &content, sizeof(content), MSG_DONTWAIT | MSG_PEEK);
  if (got != sizeof(content) || content.magic != CheckMessage::kMagic) return false;
  recv(connection, &content, sizeof(content), MSG_DONTWAIT);
  *message = content;
  return true;
}

void SendAnswer(int connection, const CheckAnswer& answer) {
  ByteWriter out;
  out.String(answer.path);
  out.Varint(answer.index);
  out.String(answer.error);
  SendPacket(connection, out.Take());
}

int ListenFor(pid_t pid) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address;
  const socklen_t size = AbstractAddress(pid, &address);
  if (fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      listen(fd, 16) == 0) {
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

bool MayAsk(int connection) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == getuid() || peer.uid == 0);
}

}  // namespace mallogram
