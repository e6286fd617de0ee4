#include "preload/collector/check_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
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
      "process ", pid, " is not being recorded by Mallogram, or not by you"));
}

}  // namespace

absl::StatusOr<CheckAnswer> RequestLeakCheck(pid_t pid) {
  if (!ProcessExists(pid)) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::InternalError(absl::StrCat("socket: ", strerror(errno)));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = VariableOf(pid, kEnvSocket);
  bool connected = false;
  if (!path.empty() && path.size() < sizeof(address.sun_path)) {
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    connected =
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  if (!connected) {
    const socklen_t size = AbstractAddress(pid, &address);
    connected =
        connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 && MayAsk(fd);
  }
  const CheckMessage message{CheckMessage::kMagic, pid};
  if (!connected || send(fd, &message, sizeof(message), MSG_NOSIGNAL) !=
                        static_cast<ssize_t>(sizeof(message))) {
    close(fd);
    return NotRecorded(pid);
  }
  const std::string packet = ReceivePacket(fd);
  close(fd);
  if (packet.empty()) {
    return absl::UnavailableError("the collector died before it answered");
  }
  ByteReader in(packet);
  CheckAnswer answer;
  answer.path = in.String();
  answer.index = static_cast<uint32_t>(in.Varint());
  answer.error = in.String();
  if (!in.ok()) return absl::DataLossError("the collector's answer is malformed");
  if (!answer.error.empty()) return absl::FailedPreconditionError(answer.error);
  return answer;
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
