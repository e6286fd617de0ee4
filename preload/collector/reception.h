// The collector's door: who connects and what they bring, an image or a question.
// One message a connection.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <vector>

#include "preload/collector/hello.h"
#include "preload/collector/processes.h"

namespace mallogram {

class Reception {
 public:
  struct Guests {
    // A process hands over its image; the descriptor stays the caller's.
    std::function<void(const Peer&, const Hello&)> admit;
    // Library and collector do not match; the image has been refused.
    std::function<void()> turn_away;
    // A leak check is asked for; the connection becomes the callee's.
    std::function<void(pid_t, int connection)> check;
    // Nobody can connect any more: out of descriptors.
    std::function<void()> close;
  };

  // `watch` has a descriptor watched; `connection`: it is one, else it listens.
  Reception(Guests guests, std::function<void(int fd, bool connection)> watch)
      : guests_(std::move(guests)), watch_(std::move(watch)) {}
  ~Reception();
  Reception(const Reception&) = delete;
  Reception& operator=(const Reception&) = delete;

  // Both -1: none. They become ours.
  void Open(int listen_fd, int first_fd);
  // Leak checks of this process can be asked for, at a socket of its own; until it
  // is gone.
  void OpenForChecks(pid_t pid);
  void CloseForChecks(pid_t pid);

  // Accepts all who wait and reads the messages that are there.
  void Receive();
  // Takes the one message of a connection, if it is there, and closes it.
  void Read(int connection);

  // Processes may still connect.
  bool open() const { return listen_fd_ >= 0; }
  bool busy() const { return !connections_.empty(); }

 private:
  void Accept(int* listen_fd);

  const Guests guests_;
  const std::function<void(int, bool)> watch_;
  int listen_fd_ = -1;
  std::map<pid_t, int> check_fds_;
  std::vector<int> connections_;  // accepted, without a message so far
};

}  // namespace mallogram
