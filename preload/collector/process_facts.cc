#include "preload/collector/process_facts.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace mallogram {
namespace {

constexpr size_t kMaxFileBytes = 4 << 20;  // the longest command line there is

std::string ReadWhole(const std::string& path) {
  std::string content;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return content;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || content.size() >= kMaxFileBytes) break;
    content.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return content;
}

std::string ReadLink(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t n = readlink(path.c_str(), target, sizeof(target));
  return n > 0 ? std::string(target, static_cast<size_t>(n)) : "";
}

std::string CpuModel() {
  const std::string info = ReadWhole("/proc/cpuinfo");
  const size_t key = info.find("model name");
  if (key == std::string::npos) return "";
  const size_t start = info.find(": ", key);
  if (start == std::string::npos) return "";
  return info.substr(start + 2, info.find('\n', start) - start - 2);
}

uint64_t ResidentBytes(const char* statm) {
  // "size resident shared …" in pages.
  const char* resident = std::strchr(statm, ' ');
  if (resident == nullptr) return 0;
  return std::strtoull(resident, nullptr, 10) *
         static_cast<uint64_t>(getpagesize());
}

}  // namespace

std::vector<std::string> SplitArguments(std::string arguments) {
  if (!arguments.empty() && arguments.back() == '\0') arguments.pop_back();
  return absl::StrSplit(arguments, '\0');
}

void FillRunInfo(pid_t pid, RunInfo* run) {
  utsname names{};
  if (uname(&names) == 0) {
    run->host = names.nodename;
    run->os = absl::StrCat(names.sysname, " ", names.release, " ", names.machine);
  }
  run->cpu = CpuModel();
  const std::string proc = absl::StrCat("/proc/", pid, "/");
  run->executable = ReadLink(proc + "exe");
  run->cwd = ReadLink(proc + "cwd");
  std::string arguments = ReadWhole(proc + "cmdline");
  // A title (setproctitle) fills what was the arguments' room with NULs.
  while (arguments.size() > 1 && arguments.back() == '\0' &&
         arguments[arguments.size() - 2] == '\0') {
    arguments.pop_back();
  }
  if (!arguments.empty()) run->argv = SplitArguments(arguments);
}

std::string ThreadName(pid_t pid, int64_t tid) {
  std::string name = ReadWhole(absl::StrCat("/proc/", pid, "/task/", tid, "/comm"));
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

bool ThreadMayLive(pid_t pid, int64_t tid) {
  if (tid <= 0 || tid > INT_MAX) return false;
  return syscall(SYS_tgkill, pid, static_cast<int>(tid), 0) == 0 || errno != ESRCH;
}

uint64_t OwnRssBytes() {
  return ResidentBytes(ReadWhole("/proc/self/statm").c_str());
}

StatusMeter::StatusMeter(pid_t pid)
    : statm_fd_(open(absl::StrCat("/proc/", pid, "/statm").c_str(),
                     O_RDONLY | O_CLOEXEC)),
      status_fd_(open(absl::StrCat("/proc/", pid, "/status").c_str(),
                      O_RDONLY | O_CLOEXEC)) {}

StatusMeter::~StatusMeter() {
  if (statm_fd_ >= 0) close(statm_fd_);
  if (status_fd_ >= 0) close(status_fd_);
}

uint64_t StatusMeter::ReadRss() {
  char text[256];
  const ssize_t n = pread(statm_fd_, text, sizeof(text) - 1, 0);
  if (n <= 0) return 0;
  text[n] = '\0';
  return ResidentBytes(text);
}

ProcessStatus StatusMeter::ReadStatus() {
  ProcessStatus status;
  char text[4096];
  const ssize_t n = pread(status_fd_, text, sizeof(text) - 1, 0);
  if (n <= 0) return status;
  text[n] = '\0';
  const auto number = [&](const char* label) -> uint64_t {
    const char* const line = std::strstr(text, label);
    return line == nullptr ? 0
                           : std::strtoull(line + std::strlen(label), nullptr, 10);
  };
  status.peak_rss_bytes = number("\nVmHWM:") * 1024;
  // Linux before 5.9 does not count filters, but says whether there are any.
  status.filters = std::max(number("\nSeccomp_filters:"),
                            number("\nSeccomp:") != 0 ? uint64_t{1} : uint64_t{0});
  return status;
}

}  // namespace mallogram
