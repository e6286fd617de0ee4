#include "preload/collector/family.h"

#include <sys/stat.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "preload/collector/thread_numbers.h"

namespace mallogram {
namespace {

uint64_t SpaceOf(pid_t pid) {
  struct stat info;
  const std::string link = absl::StrCat("/proc/", pid, "/ns/pid");
  return stat(link.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

pid_t Family::ParentOf(const Peer& peer, const Hello& hello) const {
  if (peer.pid <= 0) return hello.parent;  // we can't see it; it sees itself
  const std::vector<pid_t> numbers = NumbersOf(absl::StrCat(peer.pid).c_str());
  const bool nested = numbers.empty() ? peer.pid != hello.pid : numbers.size() > 1;
  if (!nested) return hello.parent;
  const uint64_t space = SpaceOf(peer.pid);
  for (const auto& [pid, member] : members_) {
    if (hello.parent == 0 || member.own_number != hello.parent) continue;
    if (space == 0 || member.space == 0 || member.space == space) return pid;
  }
  // Its parent is outside, was never recorded, or has died: then this is its heir.
  return mallogram::ParentOf(peer.pid);
}

void Family::Add(pid_t pid, const Hello& hello, const std::string& path,
                 const std::string& program) {
  members_[pid] = {path, program, hello.pid, SpaceOf(pid)};
}

const Family::Member* Family::Find(pid_t pid) const {
  const auto found = members_.find(pid);
  return found != members_.end() ? &found->second : nullptr;
}

}  // namespace mallogram
