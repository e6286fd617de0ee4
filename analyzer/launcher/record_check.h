// Can this program be recorded? Looked into before anything runs, so that the
// answer is one clear line and not a trace that never comes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram {

// clang-format off
// The file that `name` means (by PATH, if it has no slash) once it is known that
// the library can be preloaded into it. Errors, each one line for the user:
//   NotFound            there is no such program   (a shell would exit with 127)
//   PermissionDenied    it cannot be executed      (126)
//   FailedPrecondition  it cannot be recorded: static, setuid, other machine …
// `plain` (may be nullptr): programs with a sanitizer's malloc are found, too, and
// *plain is one line that says why they can only be run unrecorded; else empty.
// clang-format on
absl::StatusOr<std::string> FindProgram(const std::string& name,
                                        std::string* plain = nullptr);

// A shared library for this machine, for LD_PRELOAD. FailedPrecondition: it is not.
absl::Status CheckLibrary(const std::string& path);

}  // namespace mallogram
