// The processes that the collector traces for leak checks, as a state machine: fed
// with wait statuses by the one thread that may call ptrace (tracer.h).
//
// Processes are seized, not attached, so nothing stops until something happens:
//
//   a signal          passed on at once, unchanged
//   a group stop      kept, by PTRACE_LISTEN: job control works as ever
//   a new thread      followed; a forked child is not, it has an image of its own
//   an exec           followed in full mode, else let go
//   a thread's end    let go, if other threads live on
//   a fault (SIGSEGV) held before it is passed on, since that is the end as a rule;
//                     let go if the process has a handler for it, which may start a
//                     debugger
//   the process's end if it has not been held for it yet: all its threads are
//                     gathered at PTRACE_EVENT_EXIT, where the memory is still
//                     whole and every register what it was; then it is *held* until
//                     Resume
//   SIGKILL           never delayed
//
// Hold interrupts all threads of a living process, wherever they are: on demand, or
// because one of them is about to end all. That one then goes on alone, so that the
// others don't see that they were interrupted, and untraced unless it is for life:
// nobody who looks for the tracer's seat at the end finds it taken. From
// PTRACE_EVENT_EXIT the kernel lets no signal through, from there it does.
//
// What is held is let go at once, whatever is still to be seen, if a signal that
// ends programs waits for it, if it has stood still for as long as it may, or if
// the scan hangs (tracees_watch.cc). If this process dies, the kernel lets all of
// them go on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "preload/collector/leaks/scan_process.h"

namespace mallogram {

// What a process is held for.
enum class HoldFor {
  kAsked,   // somebody wants to know; it lives on
  kEnding,  // it said that it is about to end, or a fault is about to end it
  kEnd,     // it ends
};

// What became of a wish, or of a process.
struct TraceReport {
  enum What {
    kSeized,   // it is traced from here on
    kRefused,  // it is not, or cannot be held: see reason
    kHeld,     // it stands still until Resume
    kLetGo,    // it is not traced any more
  };
  What what = kSeized;
  pid_t pid = 0;
  std::string reason;
  bool of_hold = false;           // kRefused: a Hold, not a Seize
  bool by_signal = false;         // kRefused: since one waits for it
  HoldFor why = HoldFor::kAsked;  // kHeld; kRefused of a hold
  // kHeld at its end or by a fault: how it will end (a wait status).
  int status = 0;
  // kHeld: which hold it is, for Resume; and what tells the scan that it is over.
  uint64_t hold = 0;
  std::shared_ptr<leaks::ScanControl> control;
  uint64_t since_ns = 0;  // CLOCK_MONOTONIC
  std::vector<StoppedThread> threads;
  std::vector<std::string> warnings;
};

class Tracees {
 public:
  // `budget_ns`: so long a process is held for its end; 0: as long as it takes.
  Tracees(std::function<void(TraceReport)> report, uint64_t budget_ns)
      : report_(std::move(report)), budget_ns_(budget_ns) {}

  // Until it ends, also in what it executes.
  void Seize(pid_t pid);
  // Stops a process, which is let go again by Resume if it was not seized before.
  // `ending`: this thread of it asked, before it ends the process; 0: none.
  void Hold(pid_t pid, HoldFor why, pid_t ending);
  // Nothing happens if that hold is over.
  void Resume(pid_t pid, uint64_t hold);
  void LetGo(pid_t pid);
  // All that is held goes on: nobody waits for what would be found.
  void LetGoHeld(leaks::StopReason reason);

  // As from waitpid.
  void Handle(pid_t tid, int status);
  // What takes too long, and what waits for those that are held; to be called after
  // NextLookMs() at the latest, if it is not -1.
  void LookAtClock();
  int NextLookMs() const;

 private:
  struct Thread {
    enum State { kRuns, kStopped, kListens, kEnds } state = kRuns;
    int signal = 0;           // held back, to be delivered when it goes on
    bool group_stop = false;  // it goes on by listening
    int status = 0;           // kEnds
  };
  struct Process {
    pid_t pid = 0;
    std::map<pid_t, Thread> threads;
    std::vector<std::string> warnings;
    bool for_life = false;  // traced after a Hold, too
    enum Phase { kFree, kHolding, kHeld, kHeldAtEnd } phase = kFree;
    bool leaves = false;     // threads are let go as they stop
    bool end_seen = false;   // nothing of its end is of interest any more
    bool end_known = false;  // it is the process's end, not an exec's or a thread's
    int status = 0;          // of the end
    uint64_t holding_ns = 0, ending_ns = 0;  // since when; 0: not
    HoldFor why = HoldFor::kAsked;
    pid_t ending = 0;           // the thread that goes on alone after the hold
    bool handler = false;       // whose fault has a handler
    uint64_t lingering_ns = 0;  // since when the others wait for its end
    uint64_t pending = 0;       // signals that waited before it was seized
    uint64_t hold = 0;
    std::shared_ptr<leaks::ScanControl> control;  // while it is held
    uint64_t progress = 0, progress_ns = 0;       // of the scan, when last seen
    uint64_t looked_ns = 0;
  };

  Process* Find(pid_t pid);
  Process* OwnerOf(pid_t tid);
  std::string SeizeAll(Process* process);
  Thread& Add(Process* process, pid_t tid);
  void Lose(Process* process, pid_t tid);
  void EraseIfEmpty(pid_t pid);
  void Detach(Process* process, pid_t tid);
  void DetachEnding(Process* process);
  void GoOn(pid_t tid, Thread* thread);
  void Stopped(Process* process, pid_t tid, int signal, bool group_stop);
  void Signalled(Process* process, pid_t tid, int signal);
  void Interrupt(Process* process, HoldFor why, pid_t ending);
  void GoOnAlone(Process* process);
  void GoOnAll(Process* process);
  bool IsLast(const Process& process, pid_t tid) const;
  void Ends(Process* process, pid_t tid);
  void Executed(Process* process, pid_t tid);
  void CheckHeld(Process* process);
  void CheckEnd(Process* process);
  void ReportHeld(Process* process, HoldFor why, uint64_t since_ns);
  void Refuse(pid_t pid, const std::string& reason, bool of_hold,
              HoldFor why = HoldFor::kAsked);
  // In tracees_watch.cc.
  leaks::StopReason WhyNotHeld(Process* process, uint64_t now) const;
  void Release(pid_t pid, leaks::StopReason reason);

  const std::function<void(TraceReport)> report_;
  const uint64_t budget_ns_;
  uint64_t holds_ = 0;
  std::map<pid_t, Process> processes_;
  std::unordered_map<pid_t, pid_t> owners_;  // of threads
};

}  // namespace mallogram
