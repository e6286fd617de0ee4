// The thread that traces processes for leak checks. ptrace takes orders from one
// thread only, and it must never wait for anything but its tracees, while the
// collector's own thread must go on draining rings: so they exchange wishes and
// reports (tracees.h) and never wait for each other.
//
// It is also what bounds a hold: it looks at its clock and at signals that wait,
// and lets go of the process itself, whatever the others are at. If memory fails
// it, it ends, and the kernel lets go of all.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "preload/collector/tracees.h"

namespace mallogram {

class Tracer {
 public:
  // `wake` is called, by the tracing thread, when there is something to Take.
  // `budget_ns`: see Tracees.
  Tracer(std::function<void()> wake, uint64_t budget_ns);
  // Whatever is still traced goes on untraced.
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // See Tracees. The answers come as reports. The thread is started by the first.
  void Seize(pid_t pid) { Wish({Wanted::kSeize, pid}); }
  void Hold(pid_t pid, HoldFor why, pid_t ending = 0) {
    Wish({Wanted::kHold, pid, why, ending});
  }
  void Resume(const TraceReport& held) {
    Wish({Wanted::kResume, held.pid, held.why, 0, held.hold});
  }
  void LetGo(pid_t pid) { Wish({Wanted::kLetGo, pid}); }
  void LetGoHeld() { Wish({Wanted::kLetGoHeld, 0}); }

  // Reports since the last call. Cheap if there is none.
  std::vector<TraceReport> Take();

 private:
  struct Wanted {
    enum What { kSeize, kHold, kResume, kLetGo, kLetGoHeld } what;
    pid_t pid;
    HoldFor why = HoldFor::kAsked;
    pid_t ending = 0;
    uint64_t hold = 0;
  };

  void Wish(Wanted wanted);
  void Deny(const Wanted& wanted);
  void Report(TraceReport report);
  void Run();
  void Trace();
  void Grant(Tracees* tracees, const Wanted& wanted);

  const std::function<void()> wake_;
  const uint64_t budget_ns_;
  int wish_fd_ = -1;  // an eventfd
  std::thread thread_;
  std::atomic<bool> has_reports_{false}, stop_{false};
  std::mutex mutex_;     // of these three
  bool failed_ = false;  // the thread is no more
  std::vector<Wanted> wishes_;
  std::vector<TraceReport> reports_;
};

}  // namespace mallogram
