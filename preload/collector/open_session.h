// A session with a file of its own: naming.h proposes, the file system disposes.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "preload/collector/naming.h"
#include "preload/collector/session.h"

namespace mallogram {

// Opens a session under the first of the process's names that is free. `image_fd`
// stays the caller's; options.path is filled in here.
absl::StatusOr<std::unique_ptr<Session>> OpenUnderFreeName(
    TraceNames* names, const std::string& program, pid_t pid, int image_fd,
    SessionOptions options);

}  // namespace mallogram
