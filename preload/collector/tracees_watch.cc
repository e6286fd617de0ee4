// Who is held is let go when its time has come, and when nobody would let it go:
// the part of Tracees (tracees.h) that looks at clocks.
//
// A process that is held can take no signal but SIGKILL, so what waits for it is
// read from outside.
#include <signal.h>

#include <string>
#include <utility>
#include <vector>

#include "preload/collector/stamp_clock.h"
#include "preload/collector/thread_facts.h"
#include "preload/collector/tracees.h"

namespace mallogram {
namespace {

constexpr uint64_t kMs = 1'000'000;
// How often we look whether threads die for an exec.
constexpr int kExecLookMs = 2;
// How often at those that are held: a tenth of a second is what a person notices.
constexpr int kHeldLookMs = 20;
constexpr uint64_t kHeldLookNs = 15 * kMs;
// A scan reads something every few microseconds, unless it is stuck.
constexpr uint64_t kHangsNs = 30'000 * kMs;
// For the one thread that ends all. It may wait for another, which holds a lock.
constexpr uint64_t kLingerNs = 50 * kMs;
// Of a process with many threads, so many are asked for signals of their own.
constexpr size_t kAskedThreads = 16;

constexpr uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }
// By which people and supervisors end programs. Not those of timers, which come
// whenever they like.
constexpr uint64_t kEnding = Bit(SIGHUP) | Bit(SIGINT) | Bit(SIGQUIT) |
                             Bit(SIGABRT) | Bit(SIGTERM) | Bit(SIGXCPU);

}  // namespace

// Why it may stand still no longer.
leaks::StopReason Tracees::WhyNotHeld(Process* process, uint64_t now) const {
  size_t asked = 0;
  for (const auto& [tid, thread] : process->threads) {
    // Taken by a thread before it stopped.
    const bool taken = thread.state == Thread::kStopped && thread.signal != 0 &&
                       (Bit(thread.signal) & kEnding) != 0;
    if (taken && (process->why != HoldFor::kEnding || tid != process->ending))
      return leaks::StopReason::kSignal;
    const SignalSets signals = SignalsOf(tid);
    if ((signals.pending & kEnding & ~process->pending & ~signals.ignored) != 0)
      return leaks::StopReason::kSignal;
    if (++asked == kAskedThreads) break;
  }
  const bool holds =
      process->phase == Process::kHeld || process->phase == Process::kHolding;
  const uint64_t since = holds ? process->holding_ns : process->ending_ns;
  const bool asked_for = holds && process->why == HoldFor::kAsked;
  if (budget_ns_ != 0 && !asked_for && since != 0 && now - since > budget_ns_)
    return leaks::StopReason::kBudget;
  if (process->control == nullptr) return leaks::StopReason::kNone;
  const uint64_t progress =
      process->control->progress.load(std::memory_order_relaxed);
  if (progress != process->progress) {
    process->progress = progress;
    process->progress_ns = now;
  }
  return now - process->progress_ns > kHangsNs ? leaks::StopReason::kHangs
                                               : leaks::StopReason::kNone;
}

// It goes on, in whatever state it is.
void Tracees::Release(pid_t pid, leaks::StopReason reason) {
  Process* const process = Find(pid);
  if (process->control != nullptr) {
    process->control->stop.store(reason, std::memory_order_release);
    // Whatever comes next, it comes to all of its threads.
    if (process->why == HoldFor::kEnding) process->ending = 0;
    return Resume(pid, process->hold);
  }
  // Its threads are still being gathered.
  const char* const why = reason == leaks::StopReason::kBudget
                              ? "its threads took too long to stop"
                              : "a signal that ends programs came";
  if (process->phase == Process::kHolding) {
    process->phase = Process::kFree;
    process->holding_ns = 0;
    TraceReport report;
    report.what = TraceReport::kRefused;
    report.pid = pid;
    report.reason = why;
    report.of_hold = true;
    report.by_signal = reason == leaks::StopReason::kSignal;
    report.why = process->why;
    report_(std::move(report));
    if (!process->for_life || process->handler) return LetGo(pid);
    return GoOnAll(process);
  }
  process->end_seen = true;
  Refuse(pid, why, /*of_hold=*/true, HoldFor::kEnd);
  DetachEnding(process);
  EraseIfEmpty(pid);
}

void Tracees::LetGoHeld(leaks::StopReason reason) {
  std::vector<pid_t> pids;
  for (const auto& [pid, process] : processes_) {
    if (process.control != nullptr) pids.push_back(pid);
  }
  for (const pid_t pid : pids) Release(pid, reason);
}

void Tracees::LookAtClock() {
  std::vector<pid_t> pids;
  for (const auto& [pid, process] : processes_) pids.push_back(pid);
  const uint64_t now = MonotonicNs();
  for (const pid_t pid : pids) {
    Process* process = Find(pid);
    if (process == nullptr) continue;
    if (process->lingering_ns != 0 && now - process->lingering_ns > kLingerNs) {
      process->lingering_ns = 0;
      if (process->for_life) {
        GoOnAll(process);
      } else {
        LetGo(pid);
      }
      continue;
    }
    const bool gathers =
        process->phase == Process::kHolding ||
        (process->phase == Process::kFree && process->ending_ns != 0 &&
         process->end_known && !process->end_seen);
    if ((gathers || process->control != nullptr) &&
        now - process->looked_ns > kHeldLookNs) {
      process->looked_ns = now;
      const leaks::StopReason reason = WhyNotHeld(process, now);
      if (reason != leaks::StopReason::kNone) {
        Release(pid, reason);
        continue;
      }
    }
    if ((process = Find(pid)) != nullptr) CheckHeld(process);
    if ((process = Find(pid)) != nullptr) CheckEnd(process);
  }
}

int Tracees::NextLookMs() const {
  int next = -1;
  for (const auto& [pid, process] : processes_) {
    const bool ends = process.phase == Process::kFree && process.ending_ns != 0;
    if (ends && !process.end_known) return kExecLookMs;
    if (ends || process.phase == Process::kHolding || process.control != nullptr ||
        process.lingering_ns != 0)
      next = kHeldLookMs;
  }
  return next;
}

}  // namespace mallogram
