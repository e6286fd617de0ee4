#include "preload/collector/reception.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "preload/collector/check_request.h"

namespace mallogram {

Reception::~Reception() {
  for (const int fd : connections_) ::close(fd);
  if (listen_fd_ >= 0) ::close(listen_fd_);
  if (check_fd_ >= 0) ::close(check_fd_);
  FreeSpares();
}

void Reception::TakeSpares() {
  for (int& fd : spare_fds_) fd = fcntl(listen_fd_, F_DUPFD_CLOEXEC, 3);
}

bool Reception::HasRoom() {
  const int fd = fcntl(connections_.front(), F_DUPFD_CLOEXEC, 3);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

void Reception::FreeSpares() {
  for (int& fd : spare_fds_) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
}

std::vector<int> Reception::Close() {
  FreeSpares();
  for (const int fd : connections_) RefuseGuest(fd);
  connections_.clear();
  const int fd = std::exchange(listen_fd_, -1);
  if (fd < 0) return {};
  return {fd};
}

void Reception::Open(int listen_fd, int first_fd) {
  listen_fd_ = listen_fd;
  if (listen_fd_ >= 0) {
    fcntl(listen_fd_, F_SETFL, O_NONBLOCK);
    TakeSpares();
    watch_(listen_fd_, /*connection=*/false);
  }
  if (first_fd >= 0) {
    connections_.push_back(first_fd);
    watch_(first_fd, /*connection=*/true);
  }
}

void Reception::OpenForChecks(pid_t pid) {
  if (listen_fd_ >= 0 || check_fd_ >= 0) return;
  check_fd_ = ListenFor(pid);
  if (check_fd_ >= 0) watch_(check_fd_, /*connection=*/false);
}

void Reception::Accept(int* listen_fd) {
  while (*listen_fd >= 0) {
    const int fd = accept4(*listen_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        // Out of descriptors: who waits is not recorded, but must not wait for us,
        // nor be waited for in a busy loop.
        guests_.close();
        FreeSpares();
        const bool refused = RefuseWaiting(*listen_fd) > 0;
        if (refused && listen_fd_ >= 0) TakeSpares();
        if (refused) return;
        ::close(*listen_fd);
        *listen_fd = -1;
      }
      return;
    }
    connections_.push_back(fd);
    watch_(fd, /*connection=*/true);
  }
}

void Reception::Receive() {
  Accept(&listen_fd_);
  Accept(&check_fd_);
  const std::vector<int> waiting = connections_;
  for (const int fd : waiting) Read(fd);
}

void Reception::Read(int connection) {
  const auto found =
      std::find(connections_.begin(), connections_.end(), connection);
  if (found == connections_.end()) return;
  // Two kinds of messages are looked for: one that came between the two looks would
  // be taken for the other kind.
  char first;
  if (recv(connection, &first, sizeof(first), MSG_DONTWAIT | MSG_PEEK) < 0 &&
      (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return;
  }
  CheckMessage check;
  if (ReceiveCheck(connection, &check)) {
    connections_.erase(found);
    if (MayAsk(connection)) return guests_.check(check.pid, connection);
    ::close(connection);
    return;
  }
  if (!HasRoom()) {
    // The kernel would drop an image for which there is no descriptor, and its
    // program would wait for us in vain.
    guests_.close();
    connections_.erase(found);
    FreeSpares();
    RefuseGuest(connection);
    if (listen_fd_ >= 0) TakeSpares();
    return;
  }
  Hello hello;
  switch (ReceiveHello(connection, &hello)) {
    case HelloResult::kNotYet:
      return;
    case HelloResult::kGood:
      guests_.admit(PeerOf(connection), hello);
      break;
    case HelloResult::kOtherVersion:
      RefuseImage(hello.image_fd);
      guests_.turn_away();
      break;
    case HelloResult::kNothing:
      break;
  }
  if (hello.image_fd >= 0) ::close(hello.image_fd);
  // Admission may have received others.
  connections_.erase(
      std::find(connections_.begin(), connections_.end(), connection));
  ::close(connection);
}

}  // namespace mallogram
