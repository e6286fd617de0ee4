// The transport between processes: frames with their lengths over a Unix socket.
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "workloads/session/transport.h"

namespace workloads::session {
namespace {

template <typename T>
void Put(T value, Bytes* out) {
  const char* bytes = reinterpret_cast<const char*>(&value);
  out->insert(out->end(), bytes, bytes + sizeof value);
}

template <typename T>
T Take(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

void AppendFrame(const Envelope& envelope, Bytes* out) {
  const size_t texts = envelope.room.size() + envelope.content.size();
  Put(static_cast<uint32_t>(kFrameHead - 4 + texts), out);
  Put(envelope.user, out);
  Put(envelope.time, out);
  Put(static_cast<uint32_t>(envelope.room.size()), out);
  out->insert(out->end(), envelope.room.begin(), envelope.room.end());
  out->insert(out->end(), envelope.content.begin(), envelope.content.end());
}

void FrameReader::Feed(std::string_view piece) {
  // Drop what was consumed only when it is most of the buffer: amortised O(1).
  if (consumed_ > pending_.size() / 2) {
    pending_.erase(pending_.begin(),
                   pending_.begin() + static_cast<ptrdiff_t>(consumed_));
    consumed_ = 0;
  }
  pending_.insert(pending_.end(), piece.begin(), piece.end());
}

bool FrameReader::Next(Envelope* envelope) {
  const size_t available = pending_.size() - consumed_;
  if (broken_ || available < 4) return false;
  const char* frame = pending_.data() + consumed_;
  const size_t size = Take<uint32_t>(frame);
  if (size < kFrameHead - 4 || size > kMaxFrame) {
    broken_ = true;
    return false;
  }
  if (available < 4 + size) return false;
  const size_t room = Take<uint32_t>(frame + 20);
  if (room > size - (kFrameHead - 4)) {
    broken_ = true;
    return false;
  }
  envelope->user = Take<uint64_t>(frame + 4);
  envelope->time = Take<double>(frame + 12);
  envelope->room.assign(frame + kFrameHead, room);
  envelope->content.assign(frame + kFrameHead + room, 4 + size - kFrameHead - room);
  consumed_ += 4 + size;
  return true;
}

std::unique_ptr<LocalSocket> LocalSocket::Open(std::string* error) {
  const auto fail = [error](const char* what) {
    *error = std::string("local socket: ") + what + ": " + std::strerror(errno);
    return nullptr;
  };
  constexpr int kType = SOCK_STREAM | SOCK_CLOEXEC;
  const int listener = ::socket(AF_UNIX, kType, 0);
  if (listener < 0) return fail("socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof address;
  const int client = ::socket(AF_UNIX, kType | SOCK_NONBLOCK, 0);
  int server = -1;
  // A bind of the family alone lets the kernel pick a free abstract address.
  if (client >= 0 &&
      ::bind(listener, reinterpret_cast<sockaddr*>(&address),
             sizeof address.sun_family) == 0 &&
      ::listen(listener, 1) == 0 &&
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
      ::connect(client, reinterpret_cast<sockaddr*>(&address), size) == 0) {
    server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }
  const int cause = errno;
  ::close(listener);
  if (server < 0) {
    if (client >= 0) ::close(client);
    errno = cause;
    return fail("connecting");
  }
  return std::unique_ptr<LocalSocket>(new LocalSocket(client, server));
}

LocalSocket::~LocalSocket() {
  ::close(client_);
  ::close(server_);
}

void LocalSocket::Flush() {
  while (sent_ < unsent_.size()) {
    const ssize_t written = ::send(client_, unsent_.data() + sent_,
                                   unsent_.size() - sent_, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) error_ = std::string("local socket: ") + strerror(errno);
      return;
    }
    sent_ += static_cast<size_t>(written);
  }
  unsent_.clear();
  sent_ = 0;
}

bool LocalSocket::Send(const Envelope& envelope) {
  Flush();
  // What the kernel has not taken yet is at most one envelope.
  if (!unsent_.empty()) return false;
  AppendFrame(envelope, &unsent_);
  Flush();
  return true;
}

bool LocalSocket::Receive(Envelope* envelope) {
  while (!reader_.Next(envelope)) {
    Flush();
    std::array<char, 4096> piece;
    const ssize_t got = ::recv(server_, piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || reader_.broken()) return false;
    reader_.Feed({piece.data(), static_cast<size_t>(got)});
  }
  return true;
}

}  // namespace workloads::session
