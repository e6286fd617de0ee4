// What is put into the program's environment, and where it is found: the library
// next to this command, other allocators in the system's library directories.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram {

// libmallogram.so relative to this command, in the build tree or installed; with
// `operators` libmallogram_new.so, which records operator new and delete, too.
absl::StatusOr<std::string> FindLibrary(bool operators);

// --allocator's value as a file: mimalloc, jemalloc, tcmalloc or a path. The error
// names the Debian package that is missing.
absl::StatusOr<std::string> FindAllocator(const std::string& name);

// LD_PRELOAD: the library, the allocator behind it, then what the user had.
std::string PreloadList(const std::string& library, const std::string& allocator,
                        absl::string_view users);

// The files of an LD_PRELOAD list.
std::vector<std::string> PreloadEntries(absl::string_view list);

struct LaunchVariable {
  std::string name, value;
};
// This process's environment with the launch variables set: NAME=value strings.
// Older ones of ours go, but for the developer's switches.
std::vector<std::string> ProgramEnvironment(const std::vector<LaunchVariable>& set);

}  // namespace mallogram
