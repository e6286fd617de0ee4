#include "analyzer/launcher/record_meeting.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "preload/collector/resource_limits.h"
#include "preload/image.h"

namespace mallogram {
namespace {

constexpr uint64_t kLeastKey = 10'000'000'000'000'000;  // as many digits as kMaxKey
constexpr uint64_t kLeastDoor = 100;

bool Listen(int fd, const std::string& name, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t skipped = abstract ? 1 : 0;
  memcpy(address.sun_path + skipped, name.data(), name.size());
  // An abstract name ends with the address.
  const auto bytes = static_cast<socklen_t>(
      abstract ? offsetof(sockaddr_un, sun_path) + 1 + name.size()
               : sizeof(address));
  // A long queue: processes never wait for us, so all of a burst must fit.
  return fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), bytes) == 0 &&
         listen(fd, 4096) == 0;
}

}  // namespace

absl::Status Meeting::Open() {
  // Not predictable; 0 would mean that there is none.
  if (getrandom(&key_, sizeof(key_), 0) != sizeof(key_)) {
    return absl::InternalError(absl::StrCat("getrandom: ", strerror(errno)));
  }
  // Of one length, as all that a program finds in its environment: programs copy
  // that, and their figures should not depend on chance.
  key_ = kLeastKey + key_ % (kMaxKey - kLeastKey);
  const absl::Status status = OpenDirectory();
  if (!status.ok()) return status;
  abstract_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  fds_.push_back(abstract_);
  // Some number that no other recording by a process of the same id had, if it
  // can be helped: old children may know that one's.
  const int opened = open(path_.c_str(), O_PATH | O_CLOEXEC);
  door_ = fcntl(opened, F_DUPFD_CLOEXEC,
                static_cast<int>(kLeastDoor + key_ % (512 - kLeastDoor)));
  if (door_ < 0) door_ = fcntl(opened, F_DUPFD_CLOEXEC, 3);  // a tight limit
  if (opened >= 0) close(opened);
  if (door_ >= 0 && access(PathOf(getpid()).c_str(), F_OK) == 0) Remove();
  return absl::OkStatus();
}

void Meeting::Settle(pid_t collector) {
  if (directory_.empty()) path_ = PathOf(collector);
}

bool Meeting::ListenAbstract() const {
  return Listen(abstract_, path_, /*abstract=*/true);
}

void Meeting::GiveUpAbstract() {
  if (abstract_ >= 0) close(abstract_);
  fds_.back() = abstract_ = -1;
}

void Meeting::Remove() {
  if (directory_.empty()) return;
  unlink(path_.c_str());
  rmdir(directory_.c_str());
  directory_.clear();
}

absl::Status Meeting::OpenDirectory() {
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  absl::Status status = absl::InternalError("");
  if (runtime != nullptr && runtime[0] == '/') status = OpenIn(runtime);
  if (!status.ok()) status = OpenIn("/tmp");
  return status;
}

absl::Status Meeting::OpenIn(const std::string& parent) {
  directory_ = absl::StrCat(parent, "/mallogram-XXXXXX");
  // An abstract name begins with a NUL of its own.
  if (directory_.size() + sizeof("/socket") + 1 > sizeof(sockaddr_un::sun_path)) {
    return absl::InternalError("XDG_RUNTIME_DIR is too long");
  }
  if (mkdtemp(directory_.data()) == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("cannot make a directory in ",
                                                      parent, ": ", strerror(errno),
                                                      LimitBehind(errno)));
  }
  path_ = absl::StrCat(directory_, "/socket");
  fds_ = {socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  if (!Listen(fds_[0], path_, /*abstract=*/false)) {
    const absl::Status status = absl::FailedPreconditionError(
        absl::StrCat("cannot open a socket in ", directory_, ": ", strerror(errno),
                     LimitBehind(errno)));
    Remove();
    return status;
  }
  return absl::OkStatus();
}

std::string Meeting::PathOf(pid_t holder) const {
  return absl::StrCat("/proc/", holder, "/fd/", door_);
}

}  // namespace mallogram
