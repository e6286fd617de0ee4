#include "preload/collector/tracer.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <system_error>
#include <utility>

namespace mallogram {
namespace {

constexpr int kDeafLookMs = 5;

}  // namespace

Tracer::Tracer(std::function<void()> wake, uint64_t budget_ns)
    : wake_(std::move(wake)), budget_ns_(budget_ns) {}

Tracer::~Tracer() {
  if (thread_.joinable()) {
    stop_.store(true);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t ignored = write(wish_fd_, &one, sizeof(one));
    thread_.join();
  }
  if (wish_fd_ >= 0) close(wish_fd_);
}

void Tracer::Report(TraceReport report) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    reports_.push_back(std::move(report));
    has_reports_.store(true, std::memory_order_release);
  }
  wake_();
}

// The answer where there is no thread for it.
void Tracer::Deny(const Wanted& wanted) {
  if (wanted.what == Wanted::kResume || wanted.what == Wanted::kLetGoHeld) return;
  TraceReport report;
  report.what =
      wanted.what == Wanted::kLetGo ? TraceReport::kLetGo : TraceReport::kRefused;
  report.pid = wanted.pid;
  report.of_hold = wanted.what == Wanted::kHold;
  report.why = wanted.why;
  report.reason = "no thread could be started for it";
  Report(std::move(report));
}

void Tracer::Wish(Wanted wanted) {
  if (!thread_.joinable()) {
    // Nothing is held by a thread that has not been started.
    if (wanted.what == Wanted::kLetGoHeld) return;
    try {
      if (wish_fd_ < 0) wish_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      thread_ = std::thread(&Tracer::Run, this);
    } catch (const std::system_error&) {
      return Deny(wanted);
    }
  }
  bool failed = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    failed = failed_;
    if (!failed) wishes_.push_back(wanted);
  }
  if (failed) return Deny(wanted);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = write(wish_fd_, &one, sizeof(one));
}

std::vector<TraceReport> Tracer::Take() {
  if (!has_reports_.load(std::memory_order_acquire)) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  has_reports_.store(false, std::memory_order_relaxed);
  return std::exchange(reports_, {});
}

void Tracer::Grant(Tracees* tracees, const Wanted& wanted) {
  switch (wanted.what) {
    case Wanted::kSeize:
      return tracees->Seize(wanted.pid);
    case Wanted::kHold:
      return tracees->Hold(wanted.pid, wanted.why, wanted.ending);
    case Wanted::kResume:
      return tracees->Resume(wanted.pid, wanted.hold);
    case Wanted::kLetGo:
      return tracees->LetGo(wanted.pid);
    case Wanted::kLetGoHeld:
      return tracees->LetGoHeld(leaks::StopReason::kLauncher);
  }
}

// When the thread ends, the kernel lets go of all that it traces.
void Tracer::Run() {
  try {
    Trace();
    return;
  } catch (const std::exception&) {  // no memory
  }
  std::vector<Wanted> wishes;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    failed_ = true;
    wishes.swap(wishes_);
  }
  try {
    for (const Wanted& wanted : wishes) Deny(wanted);
  } catch (const std::exception&) {  // who waits, waits for a bounded time
  }
}

void Tracer::Trace() {
  prctl(PR_SET_NAME, "mgram-tracer");
  // While the core of a crashed collector is written, its tracees stand still.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // Not in the collector's batch: while we are late, a program stands still.
  const sched_param no_priority{};
  sched_setscheduler(0, SCHED_OTHER, &no_priority);
  // A tracee's news comes as SIGCHLD, which every thread of the collector blocks: a
  // descriptor can be waited for together with the wishes. The program that started
  // us may have had it ignored, which would keep it from coming.
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, nullptr);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child, nullptr);
  const int signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);

  Tracees tracees([this](TraceReport report) { Report(std::move(report)); },
                  budget_ns_);
  while (!stop_.load()) {
    pollfd fds[2] = {{signal_fd, POLLIN, 0}, {wish_fd_, POLLIN, 0}};
    // Without a descriptor nobody wakes us: then it is time that does. A tracee
    // that stands must not wait for one to become free.
    const int next = tracees.NextLookMs();
    const bool deaf = signal_fd < 0 || wish_fd_ < 0;
    poll(fds, 2, deaf && (next < 0 || next > kDeafLookMs) ? kDeafLookMs : next);
    // Before the look: what comes after it makes the descriptor readable again.
    signalfd_siginfo info[8];
    [[maybe_unused]] ssize_t ignored = read(signal_fd, info, sizeof(info));
    uint64_t count;
    ignored = read(wish_fd_, &count, sizeof(count));
    std::vector<Wanted> wishes;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      wishes.swap(wishes_);
    }
    for (const Wanted& wanted : wishes) Grant(&tracees, wanted);
    int status;
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
      tracees.Handle(tid, status);
    }
    tracees.LookAtClock();
  }
  close(signal_fd);
}

}  // namespace mallogram
