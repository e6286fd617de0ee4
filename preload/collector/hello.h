// The one message of a connection: a process hands over its image.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace mallogram {

struct Hello {
  int image_fd = -1;          // the receiver's to close
  pid_t pid = 0, parent = 0;  // as the process sees them
  std::string executable;     // as it names itself; may be empty
};

enum class HelloResult {
  kGood,
  kNotYet,        // the message is still to come
  kOtherVersion,  // image_fd is set; library and collector do not match
  kNothing,       // the other end is gone, or sent something else
};

// Never blocks. Reads the few header fields by descriptor: until the session has
// checked the image, nothing of it is mapped.
// `key`: that the sender has to know; 0: none. Of a stranger's image nothing is
// touched, whatever file it is.
HelloResult ReceiveHello(int connection, uint64_t key, Hello* hello);

// Tells the program that nobody will ever drain this image: it stops recording
// instead of waiting for room. The kernel would do the same if we had died.
void RefuseImage(int image_fd);
// The same for the image that waits on this connection, if it does; closes it.
void RefuseGuest(int connection);
// The same for all that wait to be accepted: for the launcher, if its collector
// died before it could. Leaves the socket non-blocking. Returns how many they were.
int RefuseWaiting(int listen_fd);

}  // namespace mallogram
