// A collector that can record nothing (any more): no memory, no descriptors, no
// processor time. Programs are told that nobody drains their rings, so that none
// waits; the launcher is told why, when it asks.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "preload/collector/control.h"

namespace mallogram {

// What a collector leaves behind.
struct Remains {
  std::vector<int> listen_fds;  // as RunCollector's
  int control_fd = -1;
  pid_t main_pid = 0;          // 0: not known yet
  pid_t stopped_launcher = 0;  // not 0: to be continued with its program
  RecordingReport report;
};

// Why this process can't record a single program, by the number of descriptors that
// it may open; empty: it can.
std::string MissingDescriptors();

// Refuses whoever comes until the launcher has got its report, or is gone; closes
// the descriptors. `why` stands for the program's trace if none was begun.
void SitOut(Remains remains, const std::string& why);

// A trace of this process that holds nothing but why it holds nothing: where no
// launcher could say it. Nothing follows from an error.
void LeaveWord(const CollectorOptions& options, pid_t pid, const std::string& why);

}  // namespace mallogram
