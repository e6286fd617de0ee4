// The thread that traces processes for leak checks. ptrace takes orders from one
// thread only, and it must never wait for anything but its tracees, while the
// collector's own thread must go on draining rings: so they exchange wishes and
// reports (tracees.h) and never wait for each other.
#pragma once

#include <sys/types.h>

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
  explicit Tracer(std::function<void()> wake);
  // Whatever is still traced goes on untraced.
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // See Tracees. The answers come as reports. The thread is started by the first.
  void Seize(pid_t pid, bool for_life) { Wish({Wanted::kSeize, pid, for_life}); }
  void Hold(pid_t pid) { Wish({Wanted::kHold, pid}); }
  void Resume(pid_t pid) { Wish({Wanted::kResume, pid}); }
  void LetGo(pid_t pid) { Wish({Wanted::kLetGo, pid}); }

  // Reports since the last call. Cheap if there is none.
  std::vector<TraceReport> Take();

 private:
  struct Wanted {
    enum What { kSeize, kHold, kResume, kLetGo } what;
    pid_t pid;
    bool for_life = false;
  };

  void Wish(Wanted wanted);
  void Run();
  void Grant(Tracees* tracees, const Wanted& wanted);

  const std::function<void()> wake_;
  int wish_fd_ = -1;  // an eventfd
  std::thread thread_;
  std::atomic<bool> has_reports_{false}, stop_{false};
  std::mutex mutex_;  // of these two
  std::vector<Wanted> wishes_;
  std::vector<TraceReport> reports_;
};

}  // namespace mallogram
