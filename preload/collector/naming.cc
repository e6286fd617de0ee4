#include "preload/collector/naming.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "preload/collector/resource_limits.h"
#include "preload/trace_format.h"

namespace mallogram {
namespace {

constexpr size_t kMaxProgramBytes = 64;
// What the first chunks of a trace need at the very least.
constexpr size_t kProbeBytes = 16 << 10;

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// "a/b" → "a/", "b" → "".
std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::string Reason(int error) {
  return absl::StrCat(strerror(error), LimitBehind(error));
}

absl::Status NotATrace(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, " exists and is not a trace; it will not be overwritten"));
}

// Removes an earlier trace of that name.
absl::Status MakeWay(const std::string& file) {
  struct stat info;
  if (lstat(file.c_str(), &info) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", file, ": ", Reason(errno)));
  }
  // Neither a device nor a pipe can hold a trace, and what a symbolic link points
  // to may be anything.
  if (!S_ISREG(info.st_mode)) return NotATrace(file);
  if (info.st_size > 0) {
    unsigned char magic[sizeof(kFileMagic)];
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const bool is_trace = fd >= 0 &&
                          read(fd, magic, sizeof(magic)) == sizeof(magic) &&
                          memcmp(magic, kFileMagic, sizeof(magic)) == 0;
    if (fd >= 0) close(fd);
    if (!is_trace) return NotATrace(file);
  }
  if (unlink(file.c_str()) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot replace ", file, ": ", Reason(errno)));
  }
  return absl::OkStatus();
}

// Writes and removes a file: the one way to learn of read-only file systems,
// quotas, full disks and permissions alike. Nameless where the file system can.
absl::Status Probe(const std::string& prefix, const std::string& shown) {
  std::string path;
  int fd = open(prefix.empty() ? "." : prefix.c_str(),
                O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    path = absl::StrCat(prefix, ".mallogram-probe-XXXXXX");
    fd = mkostemp(path.data(), O_CLOEXEC);
  }
  int error = fd < 0 ? errno : 0;
  if (fd >= 0) {
    const std::string bytes(kProbeBytes, '\0');
    // What did not fit at once says why when it is tried again.
    for (size_t done = 0; done < bytes.size() && error == 0;) {
      const ssize_t written = write(fd, bytes.data(), bytes.size() - done);
      if (written < 0) error = errno;
      if (written == 0) error = ENOSPC;
      if (written > 0) done += static_cast<size_t>(written);
    }
    close(fd);
    if (!path.empty()) unlink(path.c_str());
  }
  if (error == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot write traces into ", shown, ": ", Reason(error),
                   error == ENOSPC || NamesALimit(Reason(error))
                       ? ""
                       : "; choose another place with -o"));
}

}  // namespace

std::string ProgramInFileName(const std::string& path_or_name) {
  std::string name = path_or_name;
  if (absl::EndsWith(name, " (deleted)")) name.resize(name.size() - 10);
  name = name.substr(name.rfind('/') + 1);  // npos + 1 == 0
  if (name.size() > kMaxProgramBytes) name.resize(kMaxProgramBytes);
  for (char& c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                       (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '+' ||
                       c == '-';
    if (!plain) c = '_';
  }
  if (name.empty()) return "program";
  // No hidden files, nothing that looks like an option.
  if (name[0] == '.' || name[0] == '-') name[0] = '_';
  return name;
}

TraceNames::TraceNames(const std::string& output, const std::string& directory) {
  if (output.empty()) {
    if (!directory.empty() && directory != ".") {
      directory_ =
          absl::EndsWith(directory, "/") ? directory : absl::StrCat(directory, "/");
    }
  } else if (absl::EndsWith(output, "/")) {
    directory_ = output;
  } else if (IsDirectory(output)) {
    directory_ = absl::StrCat(output, "/");
  } else {
    directory_ = DirectoryOf(output);
    file_ = output;
    stem_ = output.substr(directory_.size());
    if (absl::EndsWith(stem_, kTraceSuffix)) {
      stem_.resize(stem_.size() - strlen(kTraceSuffix));
    }
    stem_ += '.';
  }
}

std::string TraceNames::Candidate(const std::string& program, pid_t pid,
                                  int attempt) const {
  if (first_ && !file_.empty()) {
    if (attempt == 1) return file_;
    --attempt;
  }
  std::string name =
      absl::StrCat(directory_, stem_, ProgramInFileName(program), ".", pid);
  if (attempt > 1) absl::StrAppend(&name, ".", attempt);
  return absl::StrCat(name, kTraceSuffix);
}

absl::Status PrepareOutput(const std::string& output,
                           const std::string& directory) {
  if (output.empty()) {
    return Probe(directory == "." ? "" : absl::StrCat(directory, "/"),
                 directory == "." ? "this directory" : directory);
  }
  if (output == "-") {
    return absl::InvalidArgumentError(
        "a trace cannot be written to standard output; give -o a file name");
  }
  if (absl::EndsWith(output, "/")) {
    if (mkdir(output.c_str(), 0777) != 0 && errno != EEXIST) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot make the directory ", output, ": ", Reason(errno)));
    }
    return Probe(output, output);
  }
  if (IsDirectory(output)) return Probe(absl::StrCat(output, "/"), output);
  const std::string parent = DirectoryOf(output);
  if (output.size() - parent.size() > NAME_MAX) {
    return absl::InvalidArgumentError("the file name given to -o is too long");
  }
  const absl::Status probe =
      Probe(parent, parent.empty() ? "this directory" : parent);
  if (!probe.ok()) return probe;
  return MakeWay(output);
}

}  // namespace mallogram
