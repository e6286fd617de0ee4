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
//   the process's end all its threads are gathered at PTRACE_EVENT_EXIT, where the
//                     memory is still whole and every register what it was; then it
//                     is *held* until Resume
//   SIGKILL           never delayed
//
// Hold interrupts all threads of a living process, wherever they are. If this
// process dies, the kernel lets all of them go on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "preload/collector/leaks/scan_process.h"

namespace mallogram {

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
  bool of_hold = false;  // kRefused: a Hold, not a Seize
  // kHeld: at its end, and how it will end (a wait status).
  bool at_end = false;
  int status = 0;
  uint64_t since_ns = 0;  // CLOCK_MONOTONIC
  std::vector<StoppedThread> threads;
  std::vector<std::string> warnings;
};

class Tracees {
 public:
  explicit Tracees(std::function<void(TraceReport)> report)
      : report_(std::move(report)) {}

  // Until it ends; `for_life`: also in what it executes.
  void Seize(pid_t pid, bool for_life);
  // Stops a process, which is let go again by Resume if it was not seized before.
  void Hold(pid_t pid);
  void Resume(pid_t pid);
  void LetGo(pid_t pid);

  // As from waitpid.
  void Handle(pid_t tid, int status);
  // What takes too long; to be called after NextLook() at the latest, if it is not
  // -1.
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
    bool for_life = false;
    bool stays = false;  // traced after a Hold, too
    enum Phase { kFree, kHolding, kHeld, kHeldAtEnd } phase = kFree;
    bool leaves = false;     // threads are let go as they stop
    bool end_seen = false;   // nothing of its end is of interest any more
    bool end_known = false;  // it is the process's end, not an exec's or a thread's
    int status = 0;          // of the end
    uint64_t holding_ns = 0, ending_ns = 0;  // since when; 0: not
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
  bool IsLast(const Process& process, pid_t tid) const;
  void Ends(Process* process, pid_t tid);
  void Executed(Process* process, pid_t tid);
  void CheckHeld(Process* process);
  void CheckEnd(Process* process);
  void ReportHeld(Process* process, bool at_end, uint64_t since_ns);
  void Refuse(pid_t pid, const std::string& reason, bool of_hold);

  const std::function<void(TraceReport)> report_;
  std::map<pid_t, Process> processes_;
  std::unordered_map<pid_t, pid_t> owners_;  // of threads
};

}  // namespace mallogram
