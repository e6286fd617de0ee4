// Every process that was ever recorded here, for names and parent links, by our
// number of it, whatever it calls itself in a pid namespace of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "preload/collector/hello.h"
#include "preload/collector/processes.h"

namespace mallogram {

class Family {
 public:
  struct Member {
    std::string path, program;  // its last file
    pid_t own_number = 0;       // what it calls itself
    uint64_t space = 0;         // the inode of its pid namespace; 0: not known
  };

  // Our number of the parent of a process that says hello; 0: it has none here.
  pid_t ParentOf(const Peer& peer, const Hello& hello) const;
  void Add(pid_t pid, const Hello& hello, const std::string& path,
           const std::string& program);
  // nullptr: never recorded.
  const Member* Find(pid_t pid) const;
  bool empty() const { return members_.empty(); }

 private:
  std::unordered_map<pid_t, Member> members_;
};

}  // namespace mallogram
