#include "analyzer/launcher/record_preload.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/suggest.h"
#include "analyzer/launcher/record_check.h"
#include "preload/image.h"

namespace mallogram {
namespace {

constexpr char kLibraryName[] = "libmallogram.so";
constexpr char kLibraryWithOperators[] = "libmallogram_new.so";
// Seen from the command's directory: beside it, in the build tree, installed.
constexpr const char* kLibraryPlaces[] = {".",
                                          "../preload",
                                          "../lib/mallogram",
                                          "../lib/x86_64-linux-gnu/mallogram",
                                          "../lib64/mallogram",
                                          "../lib",
                                          "../lib/x86_64-linux-gnu"};

constexpr const char* kSystemPlaces[] = {"/usr/local/lib",
                                         "/usr/local/lib/x86_64-linux-gnu",
                                         "/usr/lib/x86_64-linux-gnu",
                                         "/lib/x86_64-linux-gnu",
                                         "/usr/lib64",
                                         "/usr/lib",
                                         "/lib64",
                                         "/lib"};

struct KnownAllocator {
  const char* name;
  const char* files[2];  // the first one that is there
  const char* package;   // of Debian 12, and of what has come since
};
constexpr KnownAllocator kAllocators[] = {
    {"mimalloc",
     {"libmimalloc.so.2", "libmimalloc.so.3"},
     "libmimalloc2.0 (Debian 12) or libmimalloc3 (13)"},
    {"jemalloc", {"libjemalloc.so.2", "libjemalloc.so.1"}, "libjemalloc2"},
    {"tcmalloc",
     {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4"},
     "libtcmalloc-minimal4 (Debian 12) or libtcmalloc-minimal4t64 (13)"},
};

std::string RealPath(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) != nullptr ? resolved : "";
}

// LD_PRELOAD separates its entries by colons and spaces and can't quote them.
absl::Status CheckPreloadable(const std::string& path) {
  if (path.find_first_of(": \t\n") != std::string::npos) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        " cannot be preloaded: LD_PRELOAD allows no space or colon in a path"));
  }
  return CheckLibrary(path);
}

}  // namespace

absl::StatusOr<std::string> FindLibrary(bool operators) {
  const char* const name = operators ? kLibraryWithOperators : kLibraryName;
  const std::string self = RealPath("/proc/self/exe");
  const std::string directory = self.substr(0, self.rfind('/') + 1);
  for (const char* place : kLibraryPlaces) {
    std::string path = RealPath(absl::StrCat(directory, place, "/", name));
    if (path.empty()) continue;
    const absl::Status status = CheckPreloadable(path);
    if (!status.ok()) return status;
    return path;
  }
  return absl::NotFoundError(
      absl::StrCat(name, " was not found near ", self,
                   "; the installation is incomplete (looked beside it and in "
                   "../lib/mallogram)"));
}

absl::StatusOr<std::string> FindAllocator(const std::string& name) {
  for (const KnownAllocator& known : kAllocators) {
    if (name != known.name) continue;
    std::vector<std::string> places(std::begin(kSystemPlaces),
                                    std::end(kSystemPlaces));
    const char* more = getenv("LD_LIBRARY_PATH");
    if (more != nullptr && *more != '\0') {
      const std::vector<std::string> first = absl::StrSplit(more, ':');
      places.insert(places.begin(), first.begin(), first.end());
    }
    for (const char* file : known.files) {
      for (const std::string& place : places) {
        std::string path = absl::StrCat(place, "/", file);
        if (access(path.c_str(), R_OK) != 0) continue;
        const absl::Status status = CheckPreloadable(path);
        if (!status.ok()) return status;
        return path;
      }
    }
    return absl::NotFoundError(absl::StrCat(
        name, " is not installed; the Debian package is ", known.package));
  }
  if (name.find('/') == std::string::npos && access(name.c_str(), F_OK) != 0) {
    std::vector<std::string> names;
    for (const KnownAllocator& known : kAllocators) names.push_back(known.name);
    const std::string nearest = Nearest(name, names);
    return absl::InvalidArgumentError(absl::StrCat(
        "unknown allocator ", name,
        nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?"),
        nearest.empty() ? "; use mimalloc, jemalloc, tcmalloc or a library's path"
                        : ""));
  }
  const std::string path = RealPath(name);
  if (path.empty()) {
    return absl::NotFoundError(absl::StrCat(name, ": ", strerror(errno)));
  }
  const absl::Status status = CheckPreloadable(path);
  if (!status.ok()) return status;
  return path;
}

std::string PreloadList(const std::string& library, const std::string& allocator,
                        absl::string_view users) {
  std::string list = library;
  if (!allocator.empty()) absl::StrAppend(&list, ":", allocator);
  for (const std::string& entry : PreloadEntries(users)) {
    // Twice the same (a recording inside a recording) would be no use.
    if (entry != library && entry != allocator) absl::StrAppend(&list, ":", entry);
  }
  return list;
}

std::vector<std::string> PreloadEntries(absl::string_view list) {
  return absl::StrSplit(list, absl::ByAnyChar(": \t"), absl::SkipEmpty());
}

std::vector<std::string> ProgramEnvironment(
    const std::vector<LaunchVariable>& set) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    const absl::string_view name = text.substr(0, text.find('='));
    bool replaced = absl::StartsWith(name, "MALLOGRAM_") && name != kEnvVerify &&
                    name != kEnvRingKib && name != kEnvSampleSeed;
    for (const LaunchVariable& variable : set) replaced |= name == variable.name;
    if (!replaced) result.emplace_back(text);
  }
  for (const LaunchVariable& variable : set) {
    result.push_back(absl::StrCat(variable.name, "=", variable.value));
  }
  return result;
}

}  // namespace mallogram
