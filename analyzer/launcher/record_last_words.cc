#include "analyzer/launcher/record_last_words.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mallogram {
namespace {

constexpr size_t kKept = 4096;
// Of a long text both ends: an assertion begins with its place and ends with what
// did not hold, and has a template's arguments between.
constexpr size_t kShownHead = 160, kShownTail = 240;

// The words as one line that any terminal can take.
std::string OneLine(absl::string_view words) {
  std::string line;
  for (const char c : words) {
    const bool space = c == '\n' || c == '\t' || c == '\r' || c == ' ';
    if (space && (line.empty() || line.back() == ' ')) continue;
    const bool printable = c >= ' ' && c < '\x7f';
    line += space ? ' ' : printable ? c : '?';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  if (line.size() > kShownHead + kShownTail) {
    line = absl::StrCat(line.substr(0, kShownHead), " ... ",
                        line.substr(line.size() - kShownTail));
  }
  return line;
}

std::string ReadWords(int fd) {
  std::string words(kKept, '\0');
  const ssize_t size = fd >= 0 ? pread(fd, words.data(), words.size(), 0) : 0;
  words.resize(size > 0 ? static_cast<size_t>(size) : 0);
  words.resize(words.find_last_not_of('\0') + 1);  // the room that is left
  return OneLine(words);
}

}  // namespace

int OpenLastWords() {
  const int fd =
      memfd_create("mallogram-last-words", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  // A write that would make it longer fails.
  if (ftruncate(fd, kKept) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

void KeepLastWords(int fd) {
  if (fd < 0) return;
  dup2(fd, STDERR_FILENO);
  close(fd);
  setenv("LIBC_FATAL_STDERR_", "1", 1);  // or glibc looks for a terminal first
}

int AwaitCollectorsEnd(pid_t collector) {
  // It has closed its socket, so it is dying, or it is late.
  const timespec pause{0, 10'000'000};
  for (int round = 0; round < 100; ++round) {
    int status;
    if (waitpid(collector, &status, WNOHANG) == collector) return status;
    nanosleep(&pause, nullptr);
  }
  return -1;
}

std::string DescribeCollectorsEnd(int wait_status, int fd) {
  if (wait_status == -1) return "the collector gave no report";
  std::string text;
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    const char* const name = sigabbrev_np(number);
    text = absl::StrCat("the collector ",
                        number == SIGKILL ? "was killed by " : "died of ",
                        name != nullptr ? absl::StrCat("SIG", name)
                                        : absl::StrCat("signal ", number));
  } else {
    text =
        absl::StrCat("the collector ended with status ", WEXITSTATUS(wait_status));
  }
  const std::string words = ReadWords(fd);
  if (!words.empty()) absl::StrAppend(&text, ": ", words);
  return text;
}

}  // namespace mallogram
