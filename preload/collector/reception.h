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
    // Somebody could not connect: out of descriptors.
    std::function<void()> close;
  };

  // `watch` has a descriptor watched; `connection`: it is one, else it listens.
  // `forget`: no longer, before it is closed: the launcher has the same socket, so
  // it would be told of for ever.
  Reception(Guests guests, std::function<void(int fd, bool connection)> watch,
            std::function<void(int fd)> forget)
      : guests_(std::move(guests)),
        watch_(std::move(watch)),
        forget_(std::move(forget)) {}
  ~Reception();
  Reception(const Reception&) = delete;
  Reception& operator=(const Reception&) = delete;

  // -1: none. They become ours. `key`: what who comes to a listening socket has to
  // know, since anybody may find an abstract one.
  void Open(const std::vector<int>& listen_fds, int first_fd, uint64_t key);
  // Leak checks of this process can be asked for, at a socket of its own; until it
  // is gone.
  void OpenForChecks(pid_t pid);
  void CloseForChecks(pid_t pid);

  // Nobody is received any more: who waits is refused. Returns the listening
  // sockets, which are the caller's now.
  std::vector<int> Close();

  // Accepts all who wait and reads the messages that are there.
  void Receive();
  // Takes the one message of a connection, if it is there, and closes it.
  void Read(int connection);

  // Processes may still connect.
  bool open() const { return !listen_fds_.empty(); }
  bool busy() const { return !connections_.empty(); }

 private:
  // False: no more can be accepted.
  bool Accept(int listen_fd);
  bool HasRoom();  // for one more descriptor
  void TakeSpares();
  void FreeSpares();

  const Guests guests_;
  const std::function<void(int, bool)> watch_;
  const std::function<void(int)> forget_;
  std::vector<int> listen_fds_;
  std::map<pid_t, int> check_fds_;
  uint64_t key_ = 0;
  // Closed when there are no others, to refuse who waits: a connection and an
  // image.
  int spare_fds_[2] = {-1, -1};
  std::vector<int> connections_;  // accepted, without a message so far
};

}  // namespace mallogram
