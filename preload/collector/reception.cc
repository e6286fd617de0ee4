#include "preload/collector/reception.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "preload/collector/check_request.h"

namespace mallogram {

Reception::~Reception() {
  for (const int fd : connections_) ::close(fd);
  if (listen_fd_ >= 0) ::close(listen_fd_);
  for (const auto& [pid, fd] : check_fds_) ::close(fd);
}

void Reception::Open(int listen_fd, int first_fd) {
  listen_fd_ = listen_fd;
  if (listen_fd_ >= 0) {
    fcntl(listen_fd_, F_SETFL, O_NONBLOCK);
    watch_(listen_fd_, /*connection=*/false);
  }
  if (first_fd >= 0) {
    connections_.push_back(first_fd);
    watch_(first_fd, /*connection=*/true);
  }
}

void Reception::OpenForChecks(pid_t pid) {
  CloseForChecks(pid);
  const int fd = ListenFor(pid);
  if (fd < 0) return;
  check_fds_[pid] = fd;
  watch_(fd, /*connection=*/false);
}

void Reception::CloseForChecks(pid_t pid) {
  const auto found = check_fds_.find(pid);
  if (found == check_fds_.end()) return;
  ::close(found->second);
  check_fds_.erase(found);
}

void Reception::Accept(int* listen_fd) {
  while (*listen_fd >= 0) {
    const int fd = accept4(*listen_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        // Out of descriptors: who waits is not recorded, but must not be waited
        // for in a busy loop either.
        ::close(*listen_fd);
        *listen_fd = -1;
        guests_.close();
      }
      return;
    }
    connections_.push_back(fd);
    watch_(fd, /*connection=*/true);
  }
}

void Reception::Receive() {
  Accept(&listen_fd_);
  for (auto& [pid, fd] : check_fds_) Accept(&fd);
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
