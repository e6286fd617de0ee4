// The asking side of check_request.h. Whoever is asked may be stopped, busy or
// about to end: all are asked at once, and nobody is waited for that says nothing,
// unless it can only be he.
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "preload/collector/check_request.h"
#include "preload/collector/control.h"
#include "preload/collector/processes.h"
#include "preload/collector/stamp_clock.h"
#include "preload/image.h"
#include "preload/trace/bytes.h"

namespace mallogram {
namespace {

constexpr uint64_t kPatienceNs = 1'000'000'000;
constexpr int kLookEveryMs = 100;

// One that was asked.
struct Asked {
  int fd = -1;
  pid_t listener = 0;      // who opened the socket: collector or launcher
  bool collector = false;  // the former
  bool taken = false;      // it looks
};

absl::Status NotRecorded(pid_t pid) {
  return absl::NotFoundError(absl::StrCat(
      "process ", pid, " is not being recorded by Mallogram, or not by you, or ",
      "with --leak-check none"));
}

// Process ids mean the same to it as to us.
bool CountsAlike(pid_t pid) {
  struct stat mine, its;
  return pid > 0 && stat("/proc/self/ns/pid", &mine) == 0 &&
         (stat(absl::StrCat("/proc/", pid, "/ns/pid").c_str(), &its) != 0 ||
          mine.st_ino == its.st_ino);
}

// Anybody may make sockets in /tmp: who answers must be the process's owner, or
// root.
bool MayAnswer(const ucred& peer, pid_t pid) {
  struct stat process;
  return CountsAlike(peer.pid) &&
         stat(absl::StrCat("/proc/", pid).c_str(), &process) == 0 &&
         (peer.uid == process.st_uid || peer.uid == 0);
}

// Asks whoever listens there; false: nobody does, or it may not answer.
bool Ask(const sockaddr_un& address, socklen_t size, pid_t pid, Asked* asked) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  ucred peer{};
  socklen_t room = sizeof(peer);
  const CheckMessage message{CheckMessage::kMagic, pid};
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &room) == 0 &&
      MayAnswer(peer, pid) &&
      send(fd, &message, sizeof(message), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(sizeof(message))) {
    *asked = {fd, peer.pid, false, false};
    return true;
  }
  close(fd);
  return false;
}

void AskAt(absl::string_view path, pid_t pid, std::vector<Asked>* all) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return;
  memcpy(address.sun_path, path.data(), path.size());
  Asked asked;
  if (Ask(address, sizeof(address), pid, &asked)) all->push_back(asked);
}

// The sockets that the process there holds descriptors of.
void AppendDoors(const std::string& process, std::vector<std::string>* sockets) {
  glob_t found{};
  if (glob(absl::StrCat(process, "/fd/*").c_str(), GLOB_NOSORT, nullptr, &found) ==
      0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      char target[PATH_MAX];
      const ssize_t bytes = readlink(found.gl_pathv[i], target, sizeof(target));
      if (bytes > 0 &&
          absl::EndsWith(absl::string_view(target, static_cast<size_t>(bytes)),
                         "/socket (deleted)")) {
        sockets->push_back(found.gl_pathv[i]);
      }
    }
  }
  globfree(&found);
}

// Sockets of all launchers on this machine that this user may reach: their
// directories are gone, their collectors hold descriptors of them.
std::vector<std::string> LauncherSockets() {
  std::vector<std::string> sockets;
  glob_t found{};
  if (glob("/proc/[0-9]*/comm", GLOB_NOSORT, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      const std::string path = found.gl_pathv[i];
      if (ReadFile(path) != "mgram-collector\n") continue;
      AppendDoors(path.substr(0, path.rfind('/')), &sockets);
    }
  }
  globfree(&found);
  return sockets;
}

absl::Status Silent(pid_t pid, const Asked& asked) {
  const absl::string_view who = asked.collector ? "collector" : "launcher";
  if (IsStopped(asked.listener) && asked.collector) {
    return absl::UnavailableError(absl::StrCat("the collector of process ", pid,
                                               " is stopped; kill -CONT ",
                                               asked.listener, " lets it answer"));
  }
  return absl::UnavailableError(
      absl::StrCat("process ", pid, " is not being recorded by a collector that ",
                   "answers; that of ", who, " ", asked.listener, " is silent"));
}

// Without this directory in front.
std::string Shortened(const std::string& path) {
  char directory[PATH_MAX];
  if (getcwd(directory, sizeof(directory)) == nullptr) return path;
  const std::string prefix = absl::StrCat(directory, "/");
  return absl::StartsWith(path, prefix) ? path.substr(prefix.size()) : path;
}

class Answers {
 public:
  Answers(pid_t pid, std::vector<Asked> asked)
      : pid_(pid), asked_(std::move(asked)), missing_(NotRecorded(pid)) {}
  ~Answers() {
    for (const Asked& asked : asked_) close(asked.fd);
  }

  absl::StatusOr<CheckAnswer> Await() {
    const uint64_t end = MonotonicNs() + kPatienceNs;
    while (!asked_.empty()) {
      std::vector<pollfd> ready;
      for (const Asked& asked : asked_) ready.push_back({asked.fd, POLLIN, 0});
      poll(ready.data(), ready.size(), kLookEveryMs);
      for (const pollfd& one : ready) {
        CheckAnswer answer;
        if (one.revents != 0 && Read(one.fd, &answer)) {
          if (!answer.error.empty())
            return absl::FailedPreconditionError(answer.error);
          return answer;
        }
      }
      if (MonotonicNs() < end) continue;
      // Only who says that he looks, or can only be he, is waited for longer.
      for (const Asked& asked : asked_) {
        if (asked.collector ? IsStopped(asked.listener) : !asked.taken)
          return Silent(pid_, asked);
      }
    }
    return missing_;
  }

 private:
  // True: that is the answer.
  bool Read(int fd, CheckAnswer* answer) {
    const auto at = std::find_if(asked_.begin(), asked_.end(),
                                 [fd](const Asked& a) { return a.fd == fd; });
    if (at == asked_.end()) return false;
    const std::string packet = ReceivePacket(fd);
    ByteReader in(packet);
    answer->path = in.String();
    answer->index = static_cast<uint32_t>(in.Varint());
    answer->error = in.String();
    if (packet.empty()) {
      // Somebody else's may just have come to its end.
      if (at->taken || at->collector) {
        missing_ = absl::UnavailableError("the collector died before it answered");
      }
    } else if (!in.ok()) {
      missing_ = absl::DataLossError("the collector's answer is malformed");
    } else if (answer->error == kTaken) {
      Asked taken = *at;
      taken.taken = true;
      for (const Asked& other : asked_) {
        if (other.fd != fd) close(other.fd);
      }
      asked_ = {taken};
      return false;
    } else if (answer->error != kUnknownProcess) {
      answer->path = Shortened(answer->path);
      return true;
    }
    close(fd);
    asked_.erase(at);
    return false;
  }

  const pid_t pid_;
  std::vector<Asked> asked_;
  absl::Status missing_;  // why there is no answer
};

}  // namespace

absl::StatusOr<CheckAnswer> RequestLeakCheck(pid_t pid) {
  if (!ProcessExists(pid)) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  sockaddr_un address{};
  Asked asked;
  const socklen_t size = CheckAddress(pid, &address);
  if (Ask(address, size, pid, &asked)) {
    asked.collector = true;
    absl::StatusOr<CheckAnswer> answer = Answers(pid, {asked}).Await();
    if (!absl::IsNotFound(answer.status())) return answer;
  }
  std::vector<Asked> all;
  AskAt(VariableOf(pid, kEnvSocket), pid, &all);
  // Servers write their state over their environment, where `ps` shows it.
  if (all.empty()) {
    for (const std::string& path : LauncherSockets()) AskAt(path, pid, &all);
  }
  return Answers(pid, std::move(all)).Await();
}

}  // namespace mallogram
