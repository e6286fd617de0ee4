// When leak checks happen, and what becomes of them: what programs ask
// (leak_hold.h), what their ends and `mallogram leaks --pid` call for → wishes to
// the tracer; what it reports → a scan of the held process (leaks/scan_process.h)
// and a kLeaks chunk in its trace.
//
// On the collector's thread, like the sessions. A process stands still from the
// tracer's report until Resume; its rings were emptied before the scan, and nobody
// waits for it but its parent.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "preload/collector/processes.h"
#include "preload/collector/session.h"
#include "preload/collector/tracer.h"
#include "preload/trace/leaks.h"

namespace mallogram {

// The blocks that a process had when another was forked from it.
struct InheritedHeap {
  std::vector<InheritedBlock> blocks;
  std::shared_ptr<const InheritedHeap> older;  // what it had inherited itself
};

class LeakChecks {
 public:
  // `wake` may be called by another thread: Look() is due.
  explicit LeakChecks(std::function<void()> wake)
      : wake_(std::move(wake)), tracer_(wake_) {}
  ~LeakChecks();

  // No thread looks into a session any more.
  void Await();

  // A process has handed over its image.
  void Add(Session* session, pid_t parent);
  // It has ended, or is another program now; the session is still open. Says in the
  // trace why nothing was classified, if so.
  void Remove(Session* session, const ProcessEnd& end);

  // Handles what programs ask and what the tracer reports. To be called every
  // round.
  void Look();

  // `mallogram leaks --pid`: answers on the connection, which becomes ours.
  void Check(pid_t pid, int connection);

 private:
  // A scan under way on a thread of its own, while others' rings are drained.
  struct Scan {
    TraceReport held;
    ScanRequest request;
    LeakCheck check;
    std::atomic<bool> done{false};
    std::thread thread;
  };
  struct Watched {
    Session* session = nullptr;
    bool ended = false;            // there is a check of its end
    bool asked_end = false;        // by the program
    std::string refusal;           // why it can't be traced
    bool client = false;           // the program waits for a check
    std::vector<int> connections;  // who else does
    std::shared_ptr<const InheritedHeap> inherited;
    std::unique_ptr<Scan> scan;
  };
  struct Past {
    pid_t pid;
    std::shared_ptr<const InheritedHeap> heap;
  };

  void LookAtRequests(pid_t pid, Watched* watched);
  void Handle(const TraceReport& report);
  void Held(const TraceReport& report, Watched* watched);
  void Conclude(Watched* watched);
  void Refused(const TraceReport& report, Watched* watched);
  void Answer(Watched* watched, const std::string& error, uint32_t index);
  std::shared_ptr<const InheritedHeap> HeapOf(const Watched& watched) const;

  const std::function<void()> wake_;
  Tracer tracer_;
  std::map<pid_t, Watched> watched_;
  std::deque<Past> past_;  // of processes that have ended, the latest last
};

}  // namespace mallogram
