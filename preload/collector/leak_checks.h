// When leak checks happen, and what becomes of them: what programs ask
// (leak_hold.h), what their ends and `mallogram leaks --pid` call for → wishes to
// the tracer; what it reports → a scan of the held process (leaks/scan_process.h)
// and a kLeaks chunk in its trace.
//
// On the collector's thread, like the sessions. A process stands still from the
// tracer's report until Resume; its rings were emptied before the scan, and nobody
// waits for it but its parent. The tracer may let it go earlier: then the scan is
// void, and its control says why.
//
// A process that is about to end is looked at then, and what was found is kept
// until it has ended: it may go on living, as after abort() with a handler that
// jumps away.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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
  // `wake` may be called by another thread: Look() is due. `budget_ns`: for so long
  // a process is held at its end at most; 0: as long as it takes.
  LeakChecks(std::function<void()> wake, uint64_t budget_ns)
      : wake_(std::move(wake)), tracer_(wake_, budget_ns), budget_ns_(budget_ns) {}
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

  // Nobody waits for the program any more: what is held goes on.
  void LauncherGone() { tracer_.LetGoHeld(); }

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
    bool asked_end = false;         // by the program
    std::optional<LeakCheck> last;  // before, or at, its end; not written yet
    uint64_t last_ns = 0;           // CLOCK_MONOTONIC
    uint64_t answer_ns = 0;  // when to answer the request of its end; 0: not to
    std::string refusal;     // why it can't be traced
    bool client = false;     // the program waits for a check
    std::vector<int> connections;  // who else does
    std::shared_ptr<const InheritedHeap> inherited;
    std::unique_ptr<Scan> scan;
  };
  struct Past {
    pid_t pid;
    std::shared_ptr<const InheritedHeap> heap;
  };

  // One process asked that another be let go.
  struct Errand {
    pid_t pid, asker;
  };

  void LetGo(pid_t pid);
  void LookAtRequests(pid_t pid, Watched* watched);
  void Handle(const TraceReport& report);
  void Held(const TraceReport& report, Watched* watched);
  void Conclude(Watched* watched);
  void Refused(const TraceReport& report, Watched* watched);
  LeakCheck CheckOfEnd(Watched* watched, const ProcessEnd& end);
  std::string WhyStopped(leaks::StopReason reason) const;
  void Answer(Watched* watched, const std::string& error, uint32_t index);
  std::shared_ptr<const InheritedHeap> HeapOf(const Watched& watched) const;

  const std::function<void()> wake_;
  Tracer tracer_;
  const uint64_t budget_ns_;
  std::map<pid_t, Watched> watched_;
  std::vector<Errand> lets_go_;
  std::deque<Past> past_;  // of processes that have ended, the latest last
};

}  // namespace mallogram
