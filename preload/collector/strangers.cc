#include "preload/collector/strangers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "preload/collector/processes.h"

namespace mallogram {
namespace {

// Of this thread's time; with very many processes and threads, it looks rarely.
constexpr uint64_t kShare = 300;
constexpr uint64_t kLookEveryNs = 15'000'000;
constexpr int kLooksAtAllThreads = 8;  // once in so many
constexpr size_t kNamed = 3;
constexpr char kLibrary[] = "/libmallogram";

void AppendChildren(const std::string& text, std::vector<pid_t>* children) {
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end;
    const long pid = strtol(at, &end, 10);
    if (end == at) break;
    if (pid > 0) children->push_back(static_cast<pid_t>(pid));
    at = *end == ' ' ? end + 1 : end;
  }
}

uint64_t ThreadCpuNs() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(t.tv_nsec);
}

// Those that any of its threads has made.
std::vector<pid_t> AllChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  const std::string path = absl::StrCat("/proc/", pid, "/task");
  DIR* const tasks = opendir(path.c_str());
  if (tasks == nullptr) return children;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] != '.')
      AppendChildren(ReadFile(absl::StrCat(path, "/", task->d_name, "/children")),
                     &children);
  }
  closedir(tasks);
  return children;
}

}  // namespace

Strangers::~Strangers() {
  for (const auto& [pid, fd] : children_fds_)
    if (fd >= 0) close(fd);
}

// Those of its main thread, as a rule: of the file that stays open.
std::vector<pid_t> Strangers::ChildrenOf(pid_t pid) {
  if (looks_ % kLooksAtAllThreads == 0) return AllChildrenOf(pid);
  const auto [found, is_new] = children_fds_.try_emplace(pid, -1);
  int& fd = found->second;
  if (is_new) {
    fd = open(absl::StrCat("/proc/", pid, "/task/", pid, "/children").c_str(),
              O_RDONLY | O_CLOEXEC);
  }
  std::vector<pid_t> children;
  char text[1024];
  const ssize_t bytes = pread(fd, text, sizeof(text), 0);
  if (bytes == sizeof(text)) return AllChildrenOf(pid);
  if (bytes > 0) {
    AppendChildren(std::string(text, static_cast<size_t>(bytes)), &children);
  }
  return children;
}

void Strangers::Met(pid_t pid) {
  std::erase_if(strangers_, [pid](const Stranger& s) { return s.pid == pid; });
}

void Strangers::Forget(pid_t pid) {
  const auto found = children_fds_.find(pid);
  if (found == children_fds_.end()) return;
  if (found->second >= 0) close(found->second);
  children_fds_.erase(found);
}

void Strangers::Look(uint64_t now_ns, const std::vector<pid_t>& processes,
                     const std::function<bool(pid_t)>& is_known) {
  if (now_ns < next_ns_) return;
  ++looks_;
  const uint64_t start = ThreadCpuNs();
  for (auto& [pid, child] : children_) child.seen = false;
  std::vector<std::pair<pid_t, pid_t>> parents;  // and their roots
  for (const pid_t pid : processes) parents.push_back({pid, pid});
  for (size_t i = 0; i < parents.size(); ++i) {
    for (const pid_t child : ChildrenOf(parents[i].first)) {
      if (is_known(child)) continue;
      LookAt(child, parents[i].first, parents[i].second);
      const auto found = children_.find(child);
      if (found != children_.end() && found->second.stranger)
        parents.push_back({child, parents[i].second});
    }
  }
  std::erase_if(children_, [this](const auto& entry) {
    if (!entry.second.seen) Forget(entry.first);
    return !entry.second.seen;
  });
  next_ns_ = now_ns + std::max(kLookEveryNs, kShare * (ThreadCpuNs() - start));
}

void Strangers::LookAt(pid_t pid, pid_t parent_pid, pid_t root) {
  const ProcessMarks marks = MarksOf(pid);
  const auto parent = children_.find(parent_pid);
  const uint64_t parents_program =
      parent != children_.end() ? parent->second.program : 0;
  Child& child = children_[pid];
  child.seen = true;
  // 0: a zombie, on its way through exec, or not to be looked at.
  if (marks.start == 0 || marks.arguments == 0) return;
  if (child.start == marks.start && child.program == marks.arguments) return;
  child = {marks.start, marks.arguments, root, false, true};
  // Forked from a stranger, it is no program of its own yet.
  if (marks.arguments == parents_program) {
    child.stranger = true;
    return;
  }
  const std::string environment = ReadFile(absl::StrCat("/proc/", pid, "/environ"));
  const std::string maps = ReadFile(absl::StrCat("/proc/", pid, "/maps"));
  if (maps.empty() || maps.find(kLibrary) != std::string::npos ||
      environment.compare(0, variable_.size(), variable_) == 0 ||
      environment.find(absl::StrCat(absl::string_view("\0", 1), variable_)) !=
          std::string::npos) {
    return;
  }
  Stranger stranger{CommandNameOf(pid), pid, root};
  // Still what it was: an exec between the looks would mix two programs.
  const ProcessMarks after = MarksOf(pid);
  if (after.start != marks.start || after.arguments != marks.arguments) {
    child.program = 0;
    return;
  }
  child.stranger = true;
  strangers_.push_back(std::move(stranger));
}

std::string Strangers::Words(pid_t of) const {
  std::vector<std::pair<std::string, size_t>> names;
  size_t count = 0;
  for (const Stranger& stranger : strangers_) {
    if (of != 0 && stranger.root != of) continue;
    ++count;
    const auto known =
        std::find_if(names.begin(), names.end(),
                     [&](const auto& name) { return name.first == stranger.name; });
    if (known != names.end()) {
      ++known->second;
    } else {
      names.push_back({stranger.name, 1});
    }
  }
  if (count == 0) return "";
  std::string text = absl::StrCat(count, count == 1 ? " process" : " processes",
                                  " ran unrecorded, without Mallogram in ",
                                  count == 1 ? "its" : "their", " environment: ");
  for (size_t i = 0; i < names.size() && i < kNamed; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", names[i].first);
    if (names[i].second > 1) absl::StrAppend(&text, " (", names[i].second, ")");
  }
  return names.size() > kNamed ? absl::StrCat(text, " ...") : text;
}

}  // namespace mallogram
