// Children of recorded processes that run without the library, since whoever
// started them left it out of their environment: the C library after clearenv(),
// Go's own clone and execve, env -i in a shell that is itself such a child. Found
// by looking at /proc, so one that lives for less than a look or two is missed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mallogram {

class Strangers {
 public:
  // `variable`: NAME= of the environment of all that know the library.
  explicit Strangers(std::string variable) : variable_(std::move(variable)) {}
  ~Strangers();
  Strangers(const Strangers&) = delete;
  Strangers& operator=(const Strangers&) = delete;

  // Looks at the children of `processes` and of the strangers that are known.
  // `is_known`: has handed over an image. Does nothing most of the time: it takes
  // a few µs a process.
  void Look(uint64_t now_ns, const std::vector<pid_t>& processes,
            const std::function<bool(pid_t)>& is_known);

  // It has handed over an image: it was a shell, say, that became a program of
  // ours.
  void Met(pid_t pid);
  // A process of the caller's has ended.
  void Forget(pid_t pid);

  // "2 processes ran unrecorded, without Mallogram in their environment: sh, leaf";
  // empty: none. Those below process `of`; 0: all.
  std::string Words(pid_t of) const;

 private:
  struct Child {
    uint64_t start =
        0;  // in ticks since the boot: tells pids apart that are reused
    uint64_t program = 0;  // changes with every exec
    pid_t root = 0;        // the recorded process that it descends from
    bool stranger = false;
    bool seen = true;  // in this look
  };
  struct Stranger {
    std::string name;
    pid_t pid, root;
  };

  void LookAt(pid_t child, pid_t parent, pid_t root);
  std::vector<pid_t> ChildrenOf(pid_t pid);

  const std::string variable_;
  uint64_t next_ns_ = 0;
  int looks_ = 0;
  std::map<pid_t, int> children_fds_;
  std::map<pid_t, Child> children_;  // alive, and not known
  std::vector<Stranger> strangers_;
};

}  // namespace mallogram
