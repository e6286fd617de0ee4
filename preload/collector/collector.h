// The collector: the process at the other end of the rings. It takes in one
// image per traced process, drains its rings in order, keeps the heap model and
// writes the .mgram files. It is not the traced program's child or parent: the
// launcher forks it (or the library starts it, bare LD_PRELOAD), so killing it
// never harms the program, and the program's death never loses what it recorded.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace mallogram {

struct CollectorOptions {
  // Where files go. `output` empty: PROG.PID.mgram in `directory` (PROG.PID.2.mgram
  // if the name is taken by this session). Not empty: the first process's file;
  // further processes go beside it, as STEM.PROG.PID.mgram.
  std::string output;
  std::string directory = ".";
  std::string allocator;     // for RunInfo
  int compression_level = 1;
};

// What the collector tells the launcher about one finished file, one line of
// JSON-free text a file would be enough, but the launcher prints totals.
struct FinishedFile {
  std::string path;
  std::string program;
  int pid = 0;
  std::string error;  // empty: complete
};

// Runs until every traced process is gone and, if `listen_fd` >= 0, nobody can
// connect any more (`control_fd` reached end of file: the launcher is done).
//   listen_fd   Unix SOCK_SEQPACKET listening socket, or -1 (bare mode)
//   first_fd    a connected socket with one HelloMessage waiting, or -1
//   control_fd  socket to the launcher, or -1: see protocol in collector.cc
// Blocks all signals it can: the launcher decides when it ends.
absl::Status RunCollector(const CollectorOptions& options, int listen_fd,
                          int first_fd, int control_fd);

}  // namespace mallogram
