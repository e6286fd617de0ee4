// `mallogram leaks --pid`: one message to the collector that records the process,
// one answer when its leak check is in the trace.
//
// The collector listens where the process's MALLOGRAM_SOCKET says; one that the
// library started itself (bare LD_PRELOAD), at an abstract address named by the
// process's id. A process that has overwritten its environment is asked for at
// every launcher's socket. Both ends ask the kernel who is at the other.
#pragma once

#include <sys/types.h>

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

struct CheckAnswer {
  std::string path;    // of the trace
  uint32_t index = 0;  // of the check in it
  std::string error;   // why there is none
};

// Has the process looked at, and waits until it is done.
absl::StatusOr<CheckAnswer> RequestLeakCheck(pid_t pid);

// The collector's side. The packet that waits on the connection, if it is one.
bool ReceiveCheck(int connection, CheckMessage* message);
void SendAnswer(int connection, const CheckAnswer& answer);
// A listening socket for this process's check requests; -1: none to be had.
int ListenFor(pid_t pid);
// False: the process at the other end is of another user, and not root.
bool MayAsk(int connection);

}  // namespace mallogram
