#include "preload/collector/tracees.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "preload/collector/process_facts.h"
#include "preload/collector/stamp_clock.h"
#include "preload/collector/thread_facts.h"

namespace mallogram {
namespace {

constexpr uint64_t kMs = 1'000'000;
// For all threads to stop, or to come to the process's end: those that don't sit in
// the kernel where no signal reaches them.
constexpr uint64_t kStopPatienceNs = 5000 * kMs;
constexpr uint64_t kEndPatienceNs = 1000 * kMs;

constexpr long kOptions =
    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

long Trace(__ptrace_request request, pid_t tid, long data = 0) {
  return ptrace(request, tid, nullptr, reinterpret_cast<void*>(data));
}

bool Registers(pid_t tid, user_regs_struct* registers) {
  return ptrace(PTRACE_GETREGS, tid, nullptr, registers) == 0;
}

constexpr uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

// Comes when something is wrong.
bool IsFault(int signal) {
  constexpr uint64_t kFaults = Bit(SIGABRT) | Bit(SIGSEGV) | Bit(SIGBUS) |
                               Bit(SIGILL) | Bit(SIGFPE) | Bit(SIGTRAP) |
                               Bit(SIGSYS);
  return (Bit(signal) & kFaults) != 0;
}

// Ends a process that has no handler for it.
bool IsFatal(int signal) {
  constexpr uint64_t kHarmless = Bit(SIGCHLD) | Bit(SIGCONT) | Bit(SIGURG) |
                                 Bit(SIGWINCH) | Bit(SIGSTOP) | Bit(SIGTSTP) |
                                 Bit(SIGTTIN) | Bit(SIGTTOU);
  return (Bit(signal) & kHarmless) == 0;
}

bool IsStopSignal(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
         signal == SIGTTOU;
}

}  // namespace

Tracees::Process* Tracees::Find(pid_t pid) {
  const auto found = processes_.find(pid);
  return found == processes_.end() ? nullptr : &found->second;
}

// A new thread may report itself before its maker does.
Tracees::Process* Tracees::OwnerOf(pid_t tid) {
  const auto known = owners_.find(tid);
  if (known != owners_.end()) return Find(known->second);
  Process* const process = Find(ProcessOfThread(tid));
  if (process != nullptr) Add(process, tid);
  return process;
}

Tracees::Thread& Tracees::Add(Process* process, pid_t tid) {
  owners_[tid] = process->pid;
  return process->threads[tid];
}

void Tracees::Lose(Process* process, pid_t tid) {
  process->threads.erase(tid);
  owners_.erase(tid);
}

void Tracees::EraseIfEmpty(pid_t pid) {
  Process* const process = Find(pid);
  if (process == nullptr || !process->threads.empty()) return;
  const bool held_in_vain = process->phase == Process::kHolding;
  const HoldFor why = process->why;
  if (process->control != nullptr)
    process->control->stop.store(leaks::StopReason::kSignal);
  const bool leaves = process->leaves;
  processes_.erase(pid);
  if (held_in_vain) return Refuse(pid, "it has ended", /*of_hold=*/true, why);
  if (!leaves) return;
  TraceReport report;
  report.what = TraceReport::kLetGo;
  report.pid = pid;
  report_(std::move(report));
}

void Tracees::Refuse(pid_t pid, const std::string& reason, bool of_hold,
                     HoldFor why) {
  TraceReport report;
  report.what = TraceReport::kRefused;
  report.pid = pid;
  report.reason = reason;
  report.of_hold = of_hold;
  report.why = why;
  report_(std::move(report));
}

// Every thread that there is; those that are made meanwhile are followed. Returns
// why it can't be done, or nothing.
std::string Tracees::SeizeAll(Process* process) {
  std::string reason = "it has ended";
  if (process->threads.empty()) process->pending = SignalsOf(process->pid).pending;
  for (bool again = true; again;) {
    again = false;
    for (const pid_t tid : ThreadsOf(process->pid)) {
      if (process->threads.count(tid) != 0) continue;
      if (Trace(PTRACE_SEIZE, tid, kOptions) == 0) {
        Add(process, tid);
        again = true;
      } else if (errno == EPERM && ThreadMayLive(process->pid, tid)) {
        const pid_t other = TracerOf(tid);
        reason = other == getpid() ? ""
                 : other != 0
                     ? absl::StrCat("process ", other, " traces it already")
                     : "ptrace is not permitted here";
      }
    }
  }
  return process->threads.empty() ? reason : "";
}

void Tracees::Seize(pid_t pid) {
  Process& process = processes_[pid];
  process.pid = pid;
  const std::string reason = SeizeAll(&process);
  if (!reason.empty()) {
    processes_.erase(pid);
    return Refuse(pid, reason, /*of_hold=*/false);
  }
  process.for_life = true;
  TraceReport report;
  report.pid = pid;
  report_(std::move(report));
}

void Tracees::Hold(pid_t pid, HoldFor why, pid_t ending) {
  Process& process = processes_[pid];
  process.pid = pid;
  if (process.phase != Process::kFree || process.leaves || process.ending_ns != 0 ||
      process.end_seen) {
    return Refuse(pid,
                  process.phase == Process::kFree
                      ? "it is about to end"
                      : "another check of it is under way",
                  /*of_hold=*/true, why);
  }
  const std::string reason = SeizeAll(&process);
  if (!reason.empty()) {
    processes_.erase(pid);
    return Refuse(pid, reason, /*of_hold=*/true, why);
  }
  if (process.lingering_ns != 0) GoOnAll(&process);  // it has not ended, then
  process.handler = false;
  process.status = 0;
  Interrupt(&process, why, ending);
  CheckHeld(&process);
}

void Tracees::Interrupt(Process* process, HoldFor why, pid_t ending) {
  process->phase = Process::kHolding;
  process->why = why;
  process->ending = ending;
  process->holding_ns = process->looked_ns = MonotonicNs();
  for (const auto& [tid, thread] : process->threads) {
    if (thread.state == Thread::kRuns || thread.state == Thread::kListens) {
      Trace(PTRACE_INTERRUPT, tid);
    }
  }
}

void Tracees::Detach(Process* process, pid_t tid) {
  Trace(PTRACE_DETACH, tid, process->threads[tid].signal);
  Lose(process, tid);
}

void Tracees::DetachEnding(Process* process) {
  std::vector<pid_t> ending;
  for (const auto& [tid, thread] : process->threads) {
    if (thread.state == Thread::kEnds) ending.push_back(tid);
  }
  for (const pid_t tid : ending) Detach(process, tid);
}

void Tracees::GoOn(pid_t tid, Thread* thread) {
  const bool listens = thread->group_stop;
  thread->state = listens ? Thread::kListens : Thread::kRuns;
  Trace(listens ? PTRACE_LISTEN : PTRACE_CONT, tid, thread->signal);
  thread->signal = 0;
  thread->group_stop = false;
}

// After it was looked at for its end: the thread that ends it. The others would
// find calls interrupted, and would say so, where they would have heard nothing
// more.
void Tracees::GoOnAlone(Process* process) {
  const pid_t pid = process->pid;
  const auto ending = process->threads.find(process->ending);
  const bool known = ending != process->threads.end();
  const bool alone = !process->for_life && process->threads.size() == 1;
  if (process->handler || !known || alone) {
    process->lingering_ns = 0;
    if (!process->for_life || process->handler) return LetGo(pid);
    return GoOnAll(process);
  }
  process->end_seen = true;
  process->lingering_ns = MonotonicNs();
  if (ending->second.state != Thread::kStopped) return DetachEnding(process);
  if (process->for_life) return GoOn(ending->first, &ending->second);
  Detach(process, ending->first);
}

// As before it was held.
void Tracees::GoOnAll(Process* process) {
  process->lingering_ns = 0;
  process->end_seen = false;
  for (auto& [tid, thread] : process->threads) {
    if (thread.state == Thread::kStopped) GoOn(tid, &thread);
  }
  CheckEnd(process);
}

void Tracees::Resume(pid_t pid, uint64_t hold) {
  Process* const process = Find(pid);
  if (process == nullptr || process->hold != hold || process->control == nullptr)
    return;
  process->control.reset();
  if (process->phase == Process::kHeldAtEnd) {
    process->end_seen = true;
    process->phase = Process::kFree;
    DetachEnding(process);
    // None should be left, but none may be left standing.
    for (auto& [tid, thread] : process->threads) {
      if (thread.state == Thread::kStopped) GoOn(tid, &thread);
    }
    return EraseIfEmpty(pid);
  }
  if (process->phase != Process::kHeld) return;
  process->phase = Process::kFree;
  process->holding_ns = 0;
  if (process->why == HoldFor::kEnding) return GoOnAlone(process);
  if (!process->for_life) return LetGo(pid);
  GoOnAll(process);
}

void Tracees::LetGo(pid_t pid) {
  Process* const process = Find(pid);
  if (process == nullptr) {
    TraceReport report;
    report.what = TraceReport::kLetGo;
    report.pid = pid;
    return report_(std::move(report));
  }
  process->leaves = true;
  process->phase = Process::kFree;
  std::vector<pid_t> stopped;
  for (const auto& [tid, thread] : process->threads) {
    if (thread.state == Thread::kStopped || thread.state == Thread::kEnds) {
      stopped.push_back(tid);
    } else {
      Trace(PTRACE_INTERRUPT, tid);
    }
  }
  for (const pid_t tid : stopped) Detach(process, tid);
  EraseIfEmpty(pid);
}

void Tracees::Handle(pid_t tid, int status) {
  Process* const process = OwnerOf(tid);
  if (!WIFSTOPPED(status)) {
    if (process == nullptr) return;
    const pid_t pid = process->pid;
    Lose(process, tid);
    CheckHeld(process);
    CheckEnd(process);
    return EraseIfEmpty(pid);
  }
  if (process == nullptr) {  // no thread of ours: the child of a bare clone()
    Trace(PTRACE_DETACH, tid);
    return;
  }
  const int signal = WSTOPSIG(status);
  switch (status >> 16) {
    case PTRACE_EVENT_EXIT:
      return Ends(process, tid);
    case PTRACE_EVENT_EXEC:
      return Executed(process, tid);
    case PTRACE_EVENT_CLONE:
      // The new thread reports itself; it may have done so, and be gone by now.
      return Stopped(process, tid, 0, false);
    case PTRACE_EVENT_STOP:
      return Stopped(process, tid, 0, IsStopSignal(signal));
    default:
      return Signalled(process, tid, signal);
  }
}

// A signal that is about to end the process, or to have a handler run that writes
// its obituary, is the last moment at which it can be held and take another signal.
void Tracees::Signalled(Process* process, pid_t tid, int signal) {
  const bool living = process->phase == Process::kFree && process->for_life &&
                      !process->leaves && process->ending_ns == 0;
  if (living && IsFatal(signal)) {
    const SignalSets signals = SignalsOf(tid);
    const bool handler = (signals.caught & Bit(signal)) != 0;
    const bool ends = !handler && (signals.ignored & Bit(signal)) == 0;
    if (ends || (handler && IsFault(signal))) {
      Thread& thread = process->threads[tid];
      thread.signal = signal;
      thread.group_stop = false;
      thread.state = Thread::kStopped;
      process->handler = handler;
      process->status = signal;
      // By abort(), which has said so before: it has been looked at.
      if (process->lingering_ns != 0) return GoOnAlone(process);
      Interrupt(process, HoldFor::kEnding, tid);
      return CheckHeld(process);
    }
  }
  Stopped(process, tid, signal, false);
}

void Tracees::Stopped(Process* process, pid_t tid, int signal, bool group_stop) {
  Thread& thread = process->threads[tid];
  thread.signal = signal;
  thread.group_stop = group_stop;
  if (process->leaves) {
    const pid_t pid = process->pid;
    Detach(process, tid);
    return EraseIfEmpty(pid);
  }
  const bool waits = process->lingering_ns != 0 && tid != process->ending;
  if (process->phase == Process::kFree && !waits) return GoOn(tid, &thread);
  thread.state = Thread::kStopped;
  CheckHeld(process);
}

// A thread that was just made has not reported itself yet, but lives.
bool Tracees::IsLast(const Process& process, pid_t tid) const {
  if (process.threads.size() != 1) return false;
  const std::vector<pid_t> threads = ThreadsOf(process.pid);
  return std::none_of(threads.begin(), threads.end(), [&](pid_t other) {
    return other != tid && !HasEnded(other);
  });
}

// A thread is about to go, for one of many reasons. What it was doing tells which.
void Tracees::Ends(Process* process, pid_t tid) {
  const pid_t pid = process->pid;
  unsigned long message = 0;
  ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &message);
  const int status = static_cast<int>(message);
  user_regs_struct registers{};
  Registers(tid, &registers);
  const auto call = static_cast<long>(registers.orig_rax);
  Thread& thread = process->threads[tid];
  thread.state = Thread::kEnds;
  thread.signal = 0;
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (killed) process->end_seen = true;
  if (process->leaves || process->end_seen) {
    DetachEnding(process);
    return EraseIfEmpty(pid);
  }
  const bool last = IsLast(*process, tid);
  if (!WIFSIGNALED(status) && call == SYS_exit && !last) {
    Detach(process, tid);
    CheckHeld(process);
    return CheckEnd(process);
  }
  // Others, with no call to blame, die for the process's end or for an exec.
  if (WIFSIGNALED(status) || call == SYS_exit_group || last) {
    process->end_known = true;
    process->status = status;
  }
  if (process->ending_ns == 0) {
    process->ending_ns = process->looked_ns = MonotonicNs();
  }
  CheckHeld(process);
  CheckEnd(process);
}

// The thread has its process's number now, and the others are gone.
void Tracees::Executed(Process* process, pid_t tid) {
  const pid_t pid = process->pid;
  std::vector<pid_t> gone;
  for (const auto& [other, thread] : process->threads) gone.push_back(other);
  for (const pid_t other : gone) Lose(process, other);
  Add(process, tid);
  process->ending_ns = process->lingering_ns = 0;
  process->end_known = process->end_seen = false;
  if (process->for_life) return Stopped(process, tid, 0, false);
  Detach(process, tid);
  EraseIfEmpty(pid);
}

void Tracees::CheckHeld(Process* process) {
  if (process->phase != Process::kHolding) return;
  const uint64_t now = MonotonicNs();
  const bool waits = now - process->holding_ns < kStopPatienceNs;
  for (const auto& [tid, thread] : process->threads) {
    if (thread.state != Thread::kStopped && thread.state != Thread::kEnds && waits)
      return;
  }
  if (process->threads.empty()) return;
  process->phase = Process::kHeld;
  ReportHeld(process, process->why, process->holding_ns);
}

void Tracees::CheckEnd(Process* process) {
  if (process->phase != Process::kFree || process->ending_ns == 0 ||
      process->threads.empty()) {
    return;
  }
  std::vector<pid_t> gone;
  for (const auto& [tid, thread] : process->threads) {
    if (thread.state != Thread::kEnds && !ThreadMayLive(process->pid, tid))
      gone.push_back(tid);
  }
  for (const pid_t tid : gone) Lose(process, tid);
  pid_t missing = 0;
  bool executes = false;
  for (const auto& [tid, thread] : process->threads) {
    if (thread.state == Thread::kEnds) continue;
    missing = tid;
    executes = executes || (!process->end_known && Executes(tid));
  }
  if (missing != 0) {
    const bool waits = MonotonicNs() - process->ending_ns < kEndPatienceNs;
    const bool dies =
        process->end_known ? waits || IsBeingKilled(missing) : waits && !executes;
    if (!dies) {
      process->ending_ns = 0;
      process->end_known = false;
      return DetachEnding(process);
    }
    if (waits) return;
  }
  process->phase = Process::kHeldAtEnd;
  ReportHeld(process, HoldFor::kEnd, process->ending_ns);
}

void Tracees::ReportHeld(Process* process, HoldFor why, uint64_t since_ns) {
  TraceReport report;
  report.what = TraceReport::kHeld;
  report.pid = process->pid;
  report.why = why;
  report.status = process->status;
  report.hold = process->hold = ++holds_;
  report.control = process->control = std::make_shared<leaks::ScanControl>();
  process->progress = 0;
  process->progress_ns = MonotonicNs();
  report.since_ns = since_ns;
  report.warnings = std::exchange(process->warnings, {});
  size_t unknown = 0;
  for (const auto& [tid, thread] : process->threads) {
    StoppedThread stopped;
    stopped.tid = tid;
    const bool known =
        (thread.state == Thread::kStopped || thread.state == Thread::kEnds) &&
        Registers(tid, &stopped.registers);
    if (!known) ++unknown;
    report.threads.push_back(stopped);
  }
  if (unknown != 0) {
    report.warnings.push_back(absl::StrCat(
        unknown, " threads could not be stopped within ",
        (why == HoldFor::kEnd ? kEndPatienceNs : kStopPatienceNs) / (1000 * kMs),
        " s: their registers are not known"));
  }
  report_(std::move(report));
}

}  // namespace mallogram
