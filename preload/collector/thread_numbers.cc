#include "preload/collector/thread_numbers.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace mallogram {

std::vector<pid_t> NumbersOf(const char* in_proc) {
  std::vector<pid_t> numbers;
  char text[4096];
  const int fd = open(absl::StrCat("/proc/", in_proc, "/status").c_str(),
                      O_RDONLY | O_CLOEXEC);
  if (fd < 0) return numbers;
  const ssize_t bytes = read(fd, text, sizeof(text) - 1);
  close(fd);
  text[bytes > 0 ? bytes : 0] = '\0';
  const char* at = strstr(text, "\nNSpid:");
  if (at == nullptr) return numbers;
  at += strlen("\nNSpid:");
  for (char* end; *at != '\n' && *at != '\0'; at = end) {
    const long number = strtol(at, &end, 10);
    if (end == at) break;
    numbers.push_back(static_cast<pid_t>(number));
  }
  return numbers;
}

ThreadNumbers::ThreadNumbers(pid_t pid)
    : pid_(pid), nested_(NumbersOf(absl::StrCat(pid).c_str()).size() > 1) {}

bool ThreadNumbers::Is(pid_t here, int64_t tid) const {
  const std::vector<pid_t> numbers =
      NumbersOf(absl::StrCat(pid_, "/task/", here).c_str());
  return !numbers.empty() && numbers.back() == tid;
}

pid_t ThreadNumbers::Here(int64_t tid) {
  if (tid <= 0 || tid > INT_MAX) return 0;
  if (!nested_) return static_cast<pid_t>(tid);
  const auto known = here_.find(tid);
  if (known != here_.end() && Is(known->second, tid)) return known->second;
  here_.clear();
  DIR* const tasks = opendir(absl::StrCat("/proc/", pid_, "/task").c_str());
  if (tasks == nullptr) return 0;
  while (const dirent* task = readdir(tasks)) {
    const pid_t here = atoi(task->d_name);
    if (here <= 0) continue;
    const std::vector<pid_t> numbers =
        NumbersOf(absl::StrCat(pid_, "/task/", here).c_str());
    if (!numbers.empty()) here_[numbers.back()] = here;
  }
  closedir(tasks);
  const auto found = here_.find(tid);
  return found != here_.end() ? found->second : 0;
}

}  // namespace mallogram
