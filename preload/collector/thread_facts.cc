#include "preload/collector/thread_facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mallogram {
namespace {

// The first 4 KiB, all that is needed of these files.
std::string ReadHead(const std::string& path) {
  char text[4096];
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t got = read(fd, text, sizeof(text));
  close(fd);
  return got > 0 ? std::string(text, static_cast<size_t>(got)) : "";
}

// The number behind "\nNAME:" in what /proc/TID/status says.
uint64_t FieldOf(const std::string& status, absl::string_view name, int base) {
  const std::string label = absl::StrCat("\n", name, ":");
  const size_t at = status.find(label);
  if (at == std::string::npos) return 0;
  return strtoull(status.c_str() + at + label.size(), nullptr, base);
}

std::string StatusOf(pid_t tid) {
  return ReadHead(absl::StrCat("/proc/", tid, "/status"));
}

uint64_t StatusField(pid_t tid, absl::string_view name, int base) {
  return FieldOf(StatusOf(tid), name, base);
}

}  // namespace

std::vector<pid_t> ThreadsOf(pid_t pid) {
  std::vector<pid_t> threads;
  DIR* const directory = opendir(absl::StrCat("/proc/", pid, "/task").c_str());
  if (directory == nullptr) return threads;
  while (const dirent* entry = readdir(directory)) {
    const pid_t tid = atoi(entry->d_name);
    if (tid > 0) threads.push_back(tid);
  }
  closedir(directory);
  return threads;
}

pid_t ProcessOfThread(pid_t tid) {
  return static_cast<pid_t>(StatusField(tid, "Tgid", 10));
}

pid_t TracerOf(pid_t tid) {
  return static_cast<pid_t>(StatusField(tid, "TracerPid", 10));
}

bool IsBeingKilled(pid_t tid) {
  return (StatusField(tid, "SigPnd", 16) >> (SIGKILL - 1) & 1) != 0;
}

SignalSets SignalsOf(pid_t tid) {
  const std::string status = StatusOf(tid);
  SignalSets sets;
  sets.pending = FieldOf(status, "SigPnd", 16) | FieldOf(status, "ShdPnd", 16);
  sets.ignored = FieldOf(status, "SigIgn", 16);
  sets.caught = FieldOf(status, "SigCgt", 16);
  return sets;
}

uint64_t ResidentBytes(pid_t pid) { return StatusField(pid, "VmRSS", 10) << 10; }

bool HasEnded(pid_t tid) {
  const std::string stat = ReadHead(absl::StrCat("/proc/", tid, "/stat"));
  const size_t at = stat.rfind(") ");
  if (at == std::string::npos) return true;
  const char state = stat[at + 2];
  return state == 'Z' || state == 'X';
}

uint64_t StackStart(pid_t tid) {
  // Field 28; the second, a name in parentheses, may hold anything.
  const std::string stat = ReadHead(absl::StrCat("/proc/", tid, "/stat"));
  size_t at = stat.rfind(')');
  for (int field = 2; field < 28 && at != std::string::npos; ++field) {
    at = stat.find(' ', at + 1);
  }
  return at == std::string::npos ? 0 : strtoull(stat.c_str() + at, nullptr, 10);
}

bool Executes(pid_t tid) {
  const std::string call = ReadHead(absl::StrCat("/proc/", tid, "/syscall"));
  if (call.empty() || call[0] < '0' || call[0] > '9') return false;
  const int number = atoi(call.c_str());
  return number == SYS_execve || number == SYS_execveat;
}

}  // namespace mallogram
