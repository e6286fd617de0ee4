#include "preload/collector/open_session.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "preload/collector/resource_limits.h"

namespace mallogram {
namespace {

constexpr int kMaxNames = 10'000;

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> OpenUnderFreeName(
    TraceNames* names, const std::string& program, pid_t pid, int image_fd,
    SessionOptions options) {
  absl::Status status = absl::AlreadyExistsError("all names are taken");
  for (int attempt = 1; attempt < kMaxNames; ++attempt) {
    options.path = names->Candidate(program, pid, attempt);
    if (access(options.path.c_str(), F_OK) == 0) continue;
    // Another recording may take the name in between: Open never overwrites.
    const int own_fd = fcntl(image_fd, F_DUPFD_CLOEXEC, 3);
    if (own_fd < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("too many open files", LimitBehind(errno)));
    }
    auto session = Session::Open(own_fd, pid, options);
    if (session.ok()) {
      names->FirstIsNamed();
      return session;
    }
    status = session.status();
    if (!absl::IsAlreadyExists(status)) break;
  }
  return status;
}

}  // namespace mallogram
