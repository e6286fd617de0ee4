#include "analyzer/study/measures/prepare.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"

namespace mallogram::study {
namespace {

// Between fork and exec: system calls only.
[[noreturn]] void RunChild(char* const* argv, const char* directory, int out,
                           int error) {
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0 && dup2(nothing, 0) >= 0 && dup2(out, 1) >= 0 &&
      dup2(error, 2) >= 0 && chdir(directory) == 0) {
    execvp(argv[0], argv);
  }
  _exit(127);
}

absl::Status Run(const std::vector<std::string>& command,
                 const std::string& directory, const std::string& file) {
  const std::string temporary = file + ".new", messages = file + ".stderr";
  const int out =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out < 0) return FileError("create", temporary);
  const int error =
      open(messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (error < 0) {
    close(out);
    return FileError("create", messages);
  }
  std::vector<char*> argv;
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) RunChild(argv.data(), directory.c_str(), out, error);
  close(out);
  close(error);
  if (child < 0) return FileError("start", command[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    std::error_code failed;
    std::filesystem::remove(messages, failed);
    std::filesystem::rename(temporary, file, failed);
    return failed ? FileError("rename", temporary) : absl::OkStatus();
  }
  const std::string last = LastLine(messages);
  return absl::AbortedError(absl::StrCat(
      "prepare: ", JoinCommand({command[0]}),
      WIFEXITED(status) && WEXITSTATUS(status) == 127 ? " cannot be run"
      : WIFEXITED(status)
          ? absl::StrCat(" ended with ", WEXITSTATUS(status))
          : absl::StrCat(" was killed by signal ", WTERMSIG(status)),
      last.empty() ? "" : ": ", last));
}

}  // namespace

std::string StudyFileDirectory(const StudySpec& spec) {
  std::error_code error;
  const std::filesystem::path file = std::filesystem::absolute(spec.file, error);
  return file.parent_path();
}

std::string InputFileOf(const std::string& directory, const TableSpec& table,
                        const std::string& size) {
  return absl::StrCat(directory, "/inputs/", table.id, "/", size);
}

absl::Status PrepareInputs(const StudySpec& spec, const TableSpec& table,
                           const std::string& directory) {
  if (table.runs.prepare.empty()) return absl::OkStatus();
  for (const std::string& size : table.runs.sizes) {
    const std::string file = InputFileOf(directory, table, size);
    std::error_code error;
    if (std::filesystem::exists(file, error)) continue;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path(),
                                        error);
    std::vector<std::string> command;
    for (const std::string& word : table.runs.prepare) {
      command.push_back(absl::StrReplaceAll(word, {{"{n}", size}}));
    }
    const absl::Status status = Run(command, StudyFileDirectory(spec), file);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace mallogram::study
