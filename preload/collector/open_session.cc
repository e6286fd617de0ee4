#include "preload/collector/open_session.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

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
    auto session = Session::Open(fcntl(image_fd, F_DUPFD_CLOEXEC, 3), pid, options);
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
