#include "preload/collector/check_request.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "preload/collector/control.h"
#include "preload/trace/bytes.h"

namespace mallogram {

// Of an abstract name: the size counts.
socklen_t CheckAddress(pid_t pid, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  const std::string name = absl::StrCat("mallogram-check-", pid);
  memcpy(address->sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

// Noinline: g++ 12 takes the empty string's own buffer for too small.
[[gnu::noinline]] static void Put(const CheckAnswer& answer, ByteWriter* out) {
  out->String(answer.path);
  out->Varint(answer.index);
  out->String(answer.error);
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
  CheckAnswer whole = answer;
  char directory[PATH_MAX];
  if (!whole.path.empty() && whole.path[0] != '/' &&
      getcwd(directory, sizeof(directory)) != nullptr) {
    whole.path = absl::StrCat(directory, "/", whole.path);
  }
  Put(whole, &out);
  SendPacket(connection, out.Take());
}

int ListenFor(pid_t pid) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address;
  const socklen_t size = CheckAddress(pid, &address);
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
