// The collector: the process at the other end of the rings. It takes in one
// image per traced process, drains its rings in order, keeps the heap model and
// writes the .mgram files. It is not the traced program's child or parent: the
// launcher forks it (or the library starts it, bare LD_PRELOAD), so killing it
// never harms the program, and the program's death never loses what it recorded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace mallogram {

inline constexpr uint64_t kDefaultLeakBudgetNs = 2'000'000'000;
// The same for a collector that the library starts: seconds or "none".
inline constexpr char kEnvLeakBudget[] = "MALLOGRAM_LEAK_BUDGET";

struct CollectorOptions {
  // Where files go and what they are called: see naming.h.
  std::string output;
  std::string directory = ".";
  std::string allocator;    // for RunInfo
  std::string socket_path;  // that listen_fds are bound to
  uint64_t key = 0;         // that who connects to them has to know
  int compression_level = 1;
  // For so long the look for leaks may hold a process at its end; 0: as long as it
  // takes.
  uint64_t leak_budget_ns = kDefaultLeakBudgetNs;
};

// Runs until every traced process is gone and, if it listens, nobody can
// connect any more (`control_fd` reached end of file: the launcher is gone).
//   listen_fds  Unix SOCK_SEQPACKET listening sockets; none: bare mode
//   first_fd    a connected socket with one HelloMessage waiting, or -1
//   control_fd  socket to the launcher, or -1: see control.h
// Takes ownership of all. An error only says that the first process could not
// be recorded; what befalls later ones goes into the report.
absl::Status RunCollector(const CollectorOptions& options,
                          const std::vector<int>& listen_fds, int first_fd,
                          int control_fd);

}  // namespace mallogram
