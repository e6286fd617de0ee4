// Where the program's processes and the collector meet: a socket in a directory of
// our own, for nobody else; and the abstract socket of the same name, which a
// change of user or of root does not hide. Anybody can find that one, so who comes
// must know the key.
//
// The directory goes as soon as it is there, since nobody might be left to remove
// it (all of a pid namespace are killed with its first process). Its socket is
// reached through the collector's descriptor of it, /proc/PID/fd/N.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace mallogram {

class Meeting {
 public:
  absl::Status Open();
  // Settles what the place is called, now that there is a collector. REQUIRES:
  // called by both, before anybody comes.
  void Settle(pid_t collector);
  // The launcher's part; false: another recording in this network namespace, of
  // another pid namespace, has that name.
  bool ListenAbstract() const;
  void GiveUpAbstract();
  // Once is enough, and mostly it is not needed.
  void Remove();

  // -1 among them: could not be had.
  const std::vector<int>& fds() const { return fds_; }
  // The collector's, to be kept open.
  int door() const { return door_; }
  const std::string& path() const { return path_; }
  uint64_t key() const { return key_; }

 private:
  absl::Status OpenDirectory();
  absl::Status OpenIn(const std::string& parent);
  std::string PathOf(pid_t holder) const;

  std::string directory_, path_;  // directory_ empty: it is gone
  int abstract_ = -1, door_ = -1;
  std::vector<int> fds_;
  uint64_t key_ = 0;
};

}  // namespace mallogram
