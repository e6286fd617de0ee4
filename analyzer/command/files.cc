#include "analyzer/command/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/format.h"
#include "preload/trace_format.h"

namespace mallogram {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTail = 8192, kLongestLine = 200;

// All of it, or its last bytes.
absl::StatusOr<std::string> ReadFrom(const std::string& path, size_t last_bytes) {
  const int fd =
      path == "-" ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError("open", path);
  if (last_bytes != 0) {
    const off_t size = lseek(fd, 0, SEEK_END);
    const off_t tail = static_cast<off_t>(last_bytes);
    lseek(fd, size > tail ? size - tail : 0, SEEK_SET);
  }
  std::string text;
  char buffer[1 << 14];
  ssize_t got;
  while ((got = read(fd, buffer, sizeof(buffer))) > 0 ||
         (got < 0 && errno == EINTR)) {
    text.append(buffer, static_cast<size_t>(std::max<ssize_t>(got, 0)));
  }
  const absl::Status status = got < 0 ? FileError("read", path) : absl::OkStatus();
  close(fd);
  if (!status.ok()) return status;
  return text;
}

absl::Status WriteAll(int fd, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("write", path);
    text.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

std::string InDirectory(const std::string& directory, absl::string_view path) {
  if (directory.empty() || absl::StartsWith(path, "/")) return std::string(path);
  return absl::StrCat(directory, "/", path);
}

// As execvp finds it; the name itself if nothing is found.
std::string OnPath(const std::string& name) {
  if (absl::StrContains(name, '/')) return name;
  const char* path = getenv("PATH");
  for (const absl::string_view directory :
       absl::StrSplit(path != nullptr ? path : "/bin:/usr/bin", ':')) {
    std::string candidate =
        absl::StrCat(directory.empty() ? "." : directory, "/", name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return name;
}

std::vector<std::string> TracesIn(const std::string& directory,
                                  std::error_code* error) {
  std::vector<std::string> files;
  for (fs::directory_iterator at(directory, *error), end; !*error && at != end;
       at.increment(*error)) {
    if (at->path().extension() == kTraceSuffix)
      files.push_back(at->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool IsUnder(const fs::path& path, const fs::path& directory) {
  const auto [end, ignored] =
      std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  return end == directory.end();
}

}  // namespace

absl::Status FileError(absl::string_view action, absl::string_view path) {
  return absl::UnknownError(
      absl::StrCat("cannot ", action, " ", path, ": ", strerror(errno)));
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  return ReadFrom(path, 0);
}

absl::Status WriteTextFile(const std::string& path, absl::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return FileError("write", path);
  const absl::Status status = WriteAll(fd, text, path);
  return close(fd) == 0 || !status.ok() ? status : FileError("write", path);
}

absl::Status WriteAtomically(const std::string& path, absl::string_view text) {
  const std::string temporary = absl::StrCat(path, ".new");
  const int fd =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return FileError("write", path);
  absl::Status status = WriteAll(fd, text, path);
  if (status.ok() && fsync(fd) != 0) status = FileError("write", path);
  close(fd);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = FileError("write", path);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

std::vector<std::string> ListTraces(const std::string& directory) {
  std::error_code ignored;
  return TracesIn(directory, &ignored);
}

absl::Status NoTraceIn(absl::string_view directory) {
  return absl::NotFoundError(
      absl::StrCat(directory, ": no ", kTraceSuffix, " file in this directory"));
}

absl::StatusOr<std::vector<std::string>> FindTraces(
    const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const std::vector<std::string> found = TracesIn(path, &error);
    if (error) {
      return absl::PermissionDeniedError(
          absl::StrCat(path, ": cannot be listed: ", error.message()));
    }
    if (found.empty()) return NoTraceIn(path);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

std::vector<std::string> FindRecordings(const std::string& run_directory) {
  std::vector<std::string> files = ListTraces(run_directory);
  std::sort(files.begin(), files.end(),
            [](const std::string& a, const std::string& b) {
              const bool a_first = fs::path(a).filename() == kProgramRecording;
              const bool b_first = fs::path(b).filename() == kProgramRecording;
              return a_first != b_first ? a_first : a < b;
            });
  return files;
}

std::string LastLine(const std::string& path) {
  const absl::StatusOr<std::string> tail = ReadFrom(path, kTail);
  if (!tail.ok()) return "";
  std::string last;
  for (absl::string_view line : absl::StrSplit(*tail, absl::ByAnyChar("\r\n"))) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) last = std::string(line);
  }
  return Printable(last.substr(0, kLongestLine), /*utf8=*/true);
}

bool LookAt(const std::string& path, InputFile* file) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  file->path = path;
  file->bytes = static_cast<uint64_t>(info.st_size);
  file->modified_ns =
      int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return true;
}

std::vector<InputFile> NamedFiles(const std::vector<std::string>& command,
                                  const std::string& input,
                                  const std::string& working_directory,
                                  const std::string& except) {
  std::vector<std::string> names = {OnPath(command[0])};
  for (size_t i = 1; i < command.size(); ++i) {
    names.push_back(command[i]);
    const size_t equals = command[i].find('=');  // --file=PATH
    if (equals != std::string::npos) names.push_back(command[i].substr(equals + 1));
  }
  if (!input.empty()) names.push_back(input);
  std::vector<InputFile> files;
  for (const std::string& name : names) {
    InputFile file;
    // What JSON cannot hold as it is could not be recognized again.
    if (name.empty() || Printable(name, /*utf8=*/true) != name ||
        !LookAt(InDirectory(working_directory, name), &file) ||
        IsUnder(fs::path(file.path).lexically_normal(), except) ||
        std::find(files.begin(), files.end(), file) != files.end()) {
      continue;
    }
    files.push_back(file);
  }
  return files;
}

}  // namespace mallogram
