#include "preload/collector/reception.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "preload/collector/check_request.h"

namespace mallogram {

Reception::~Reception() {
  for (const int fd : connections_) ::close(fd);
  for (const int fd : listen_fds_) ::close(fd);
  for (const auto& [pid, fd] : check_fds_) ::close(fd);
  FreeSpares();
}

void Reception::TakeSpares() {
  if (!open()) return;
  for (int& fd : spare_fds_) fd = fcntl(listen_fds_[0], F_DUPFD_CLOEXEC, 3);
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
  return std::exchange(listen_fds_, {});
}

void Reception::Open(const std::vector<int>& listen_fds, int first_fd,
                     uint64_t key) {
  key_ = key;
  for (const int fd : listen_fds) {
    if (fd < 0) continue;
    listen_fds_.push_back(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    watch_(fd, /*connection=*/false);
  }
  TakeSpares();
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

bool Reception::Accept(int listen_fd) {
  for (;;) {
    const int fd = accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      // Without a descriptor the kernel says so even where nobody waits.
      pollfd waits = {listen_fd, POLLIN, 0};
      if (poll(&waits, 1, 0) == 0) return true;
      // Out of descriptors: who waits is not recorded, but must not wait for us,
      // nor be waited for in a busy loop.
      guests_.close();
      FreeSpares();
      if (RefuseWaiting(listen_fd) > 0) {
        TakeSpares();
        return true;
      }
      forget_(listen_fd);
      ::close(listen_fd);
      return false;
    }
    connections_.push_back(fd);
    watch_(fd, /*connection=*/true);
  }
}

void Reception::Receive() {
  std::erase_if(listen_fds_, [this](int fd) { return !Accept(fd); });
  std::erase_if(check_fds_,
                [this](const auto& one) { return !Accept(one.second); });
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
    TakeSpares();
    return;
  }
  Hello hello;
  switch (ReceiveHello(connection, open() ? key_ : 0, &hello)) {
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
