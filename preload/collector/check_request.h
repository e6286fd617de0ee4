// `mallogram leaks --pid`: one message to the collector that records the process,
// one answer when its leak check is in the trace.
//
// The collector listens at an abstract address that is named by the process's id,
// so nobody else is asked. In another network namespace that address is not to be
// found: then at the process's MALLOGRAM_SOCKET or, if it has overwritten its
// environment, at every launcher's socket, all at once. Both ends ask the kernel
// who is at the other.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace mallogram {

struct CheckMessage {
  static constexpr uint64_t kMagic = 0x314b4843474c4dULL;  // "MLGCHK1"
  uint64_t magic;
  int32_t pid;
};

// The error of a collector that does not record the process.
inline constexpr char kUnknownProcess[] = "the process is not recorded";
// What one that does says at once; the answer may take its time.
inline constexpr char kTaken[] = "the process is being looked at";

struct CheckAnswer {
  std::string path;    // of the trace; relative only below this directory
  uint32_t index = 0;  // of the check in it
  std::string error;   // why there is none
};

// Where the collector of this process listens; the result is the address's size.
socklen_t CheckAddress(pid_t pid, sockaddr_un* address);

// Has the process looked at, and waits until it is done; a collector that says
// nothing at all, no longer than a second (ask_collectors.cc).
absl::StatusOr<CheckAnswer> RequestLeakCheck(pid_t pid);

// The collector's side. The packet that waits on the connection, if it is one.
bool ReceiveCheck(int connection, CheckMessage* message);
void SendAnswer(int connection, const CheckAnswer& answer);
// A listening socket for this process's check requests; -1: none to be had.
int ListenFor(pid_t pid);
// False: the process at the other end is of another user, and not root.
bool MayAsk(int connection);

}  // namespace mallogram
