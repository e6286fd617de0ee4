// One thread does everything but watch descriptors (waker.h): it must be the one
// that opened the sessions, since its life is what the programs watch.
#include "preload/collector/collector.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <new>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "preload/collector/control.h"
#include "preload/collector/family.h"
#include "preload/collector/give_up.h"
#include "preload/collector/heirs.h"
#include "preload/collector/leak_checks.h"
#include "preload/collector/naming.h"
#include "preload/collector/open_session.h"
#include "preload/collector/processes.h"
#include "preload/collector/program_words.h"
#include "preload/collector/reception.h"
#include "preload/collector/resource_limits.h"
#include "preload/collector/session.h"
#include "preload/collector/stamp_clock.h"
#include "preload/collector/strangers.h"
#include "preload/collector/waker.h"
#include "preload/image.h"

namespace mallogram {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
// A round that took fewer records than this is followed by a nap: rings hold
// several times as much and ring the doorbell when half full, so nothing waits for
// us, and a program that records a little all the time does not cost a whole core.
// In five interleaved runs of redis-benchmark (set, get, lpush, hset) on two cores,
// redis lost 8 % of its throughput with naps of 4 ms and SCHED_BATCH, 11 % with
// naps of 1 ms and without.
constexpr uint64_t kBusyRecords = 1024;
constexpr uint64_t kMinSleepNs = 4 * kMillisecond;
constexpr uint64_t kMaxSleepNs = 10 * kMillisecond;
// While a program records that can neither ring nor wait.
constexpr uint64_t kSandboxSleepNs = kMillisecond / 2;
constexpr uint64_t kTickNs = 9 * kMillisecond;
constexpr int kTicksPerExecCheck = 10;
// So long it may begin again at any moment.
constexpr int kAttentiveRounds = 20;
constexpr int kTicksToRun = 3;
constexpr size_t kReserveBytes = 256 << 10;
constexpr char kImageName[] = "mallogram";  // of the memfd, as seen in maps

uint64_t ProcessCpuNs() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(t.tv_nsec);
}

class Collector {
 public:
  explicit Collector(const CollectorOptions& options);
  ~Collector();
  // As RunCollector, whose errors these are. Returns early, with everything
  // finished and stopped() saying why, if this process may not run on.
  absl::Status Run(const std::vector<int>& listen_fds, int first_fd,
                   int control_fd);
  const std::string& stopped() const { return stopped_; }
  bool began() const { return began_; }               // the descriptors are ours
  bool recorded() const { return !family_.empty(); }  // there is a trace
  // Gives up whatever is still being recorded; its memory is freed by the
  // destructor. `why` becomes part of the report.
  Remains Forsake(const std::string& why);

 private:
  // What is watched in the epoll instance.
  enum Watched : uint64_t { kListener, kControl, kConnection, kProcess, kHeir };

  struct Traced {
    std::unique_ptr<Session> session;
    pid_t pid = 0;
    int pidfd = -1;     // -1: polled
    bool gone = false;  // ended, but waits for its status from the launcher
    std::string program;
    Executable exe;        // when last looked at
    bool suspect = false;  // it runs another program than the image's
    uint64_t image_inode = 0;
  };
  void Watch(int fd, Watched what);
  void HandleReady();
  Reception::Guests Guests();
  void Admit(const Peer& peer, const Hello& hello);
  std::unique_ptr<Session> OpenNamed(const std::string& program, pid_t pid,
                                     pid_t parent, int image_fd);
  void HandleProcessEnd(int pidfd);
  void HandleControl();
  void Report(int wait_status);
  void LookForStrangers(uint64_t now);
  void Tick(uint64_t now);
  void EndUnwatched();
  void CheckForExec();
  void EndTraced(size_t index, ProcessEnd end);
  bool IsMain(const Traced& traced) const {
    return control_fd_ >= 0 && traced.pid == main_pid_;
  }
  ProcessEnd EndOfTraced(const Traced& traced) const;
  bool Finished();
  bool AnyCannotSleep() const {
    return std::any_of(sessions_.begin(), sessions_.end(),
                       [](const Session* s) { return s->CannotSleep(); });
  }
  void StopEarly(const std::string& why);

  const CollectorOptions options_;
  int control_fd_ = -1;
  const int epoll_fd_;
  Waker waker_;
  Reception reception_;
  Heirs heirs_;
  LeakChecks leak_checks_;
  Strangers strangers_;
  TraceNames names_;
  std::vector<Traced> traced_;
  std::vector<Session*> sessions_;  // of traced_, for the waker
  Family family_;
  pid_t main_pid_ = 0;
  pid_t stopped_launcher_ = 0;
  int runs_ticks_ = 0;  // for which its program was seen to run
  uint64_t ticks_ = 0;
  RecordingReportBuilder report_;
  UnrecordedCounts unrecorded_{};  // of sessions that have ended
  absl::Status first_error_;
  const uint64_t cpu_limit_ = CpuAllowance();
  std::string stopped_;
  bool began_ = false;
};

Collector::Collector(const CollectorOptions& options)
    : options_(options),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      waker_(epoll_fd_),
      reception_(
          Guests(),
          [this](int fd, bool connection) {
            Watch(fd, connection ? kConnection : kListener);
          },
          [this](int fd) { epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }),
      heirs_(options.socket_path, [this](int fd) { Watch(fd, kHeir); }),
      leak_checks_([this] { waker_.Call(); }, options.leak_budget_ns),
      // Bare, there is no socket that they all know.
      strangers_(absl::StrCat(
          options.socket_path.empty() ? "LD_PRELOAD" : kEnvSocket, "=")),
      names_(options.output, options.directory) {}

Collector::~Collector() {
  if (control_fd_ >= 0) close(control_fd_);
  if (epoll_fd_ >= 0) close(epoll_fd_);
}

Reception::Guests Collector::Guests() {
  return {[this](const Peer& peer, const Hello& hello) { Admit(peer, hello); },
          [this] {
            first_error_.Update(absl::FailedPreconditionError(
                "library and command come from different builds of Mallogram"));
          },
          [this](pid_t pid, int connection) {
            // Who asked may hang up before the answer, which would be ready for
            // ever.
            epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, connection, nullptr);
            leak_checks_.Check(pid, connection);
          },
          [this] {
            report_.AddTrouble(
                absl::StrCat("too many processes at once: some are not recorded",
                             LimitBehind(EMFILE)));
          }};
}

absl::Status Collector::Run(const std::vector<int>& listen_fds, int first_fd,
                            int control_fd) {
  began_ = true;
  control_fd_ = control_fd;
  reception_.Open(listen_fds, first_fd, options_.key);
  if (control_fd_ >= 0) Watch(control_fd_, kControl);
  // The program and who talks to it come first: a batch process that wakes up does
  // not push another from its CPU. If it is not allowed, it is not.
  const sched_param no_priority{};
  sched_setscheduler(0, SCHED_BATCH, &no_priority);
  HandleReady();  // a first hello is handled even if the watcher could not start
  uint64_t sleep_ns = kMinSleepNs;
  uint64_t last_tick = 0;
  int idle_rounds = 0;
  for (;;) {
    if (waker_.attention()) {
      HandleReady();
      waker_.Handled();
    }
    leak_checks_.Look();
    uint64_t taken = 0;
    for (Traced& traced : traced_) taken += traced.session->Drain();
    const uint64_t now = MonotonicNs();
    if (now - last_tick >= kTickNs) {
      last_tick = now;
      Tick(now);
    }
    if (Finished() || !stopped_.empty()) return first_error_;
    if (taken >= kBusyRecords) {
      sleep_ns = kMinSleepNs;
      idle_rounds = 0;
      continue;
    }
    sleep_ns = taken > 0 ? kMinSleepNs : std::min(sleep_ns * 2, kMaxSleepNs);
    idle_rounds = taken > 0 ? 0 : idle_rounds + 1;
    if (idle_rounds < kAttentiveRounds && AnyCannotSleep()) {
      sleep_ns = kSandboxSleepNs;
    }
    // Without any process there is nothing to do but to wait for one.
    const uint64_t timeout = !traced_.empty()         ? sleep_ns
                             : stopped_launcher_ != 0 ? kMaxSleepNs
                                                      : 0;
    // A ring that can't be read (damaged by the program) always looks like work:
    // after some rounds without any progress we sleep all the same.
    waker_.Sleep(sessions_, timeout,
                 /*only_if_idle=*/taken == 0 && idle_rounds < 8);
  }
}

void Collector::Watch(int fd, Watched what) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<uint64_t>(what) << 32 | static_cast<uint32_t>(fd);
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
}

// Until nothing is ready any more. Every handler removes the cause.
void Collector::HandleReady() {
  epoll_event event;
  while (epoll_wait(epoll_fd_, &event, 1, 0) == 1) {
    const int fd = static_cast<int>(event.data.u64 & 0xffffffff);
    switch (static_cast<Watched>(event.data.u64 >> 32)) {
      case kListener:
        reception_.Receive();
        break;
      case kControl:
        HandleControl();
        break;
      case kConnection:
        reception_.Read(fd);
        break;
      case kProcess:
        // What the process sent at its very end comes first.
        reception_.Receive();
        HandleProcessEnd(fd);
        break;
      case kHeir:
        heirs_.Gone(fd);
        break;
    }
  }
}

// A process hands over its image: opens its trace. The descriptor stays the
// caller's.
void Collector::Admit(const Peer& peer, const Hello& hello) {
  const pid_t pid = peer.pid > 0 ? peer.pid : hello.pid;
  // The same process with a new image has replaced itself by exec. (Or it is dead
  // and another one has got its number; its own pidfd tells.)
  for (size_t i = 0; i < traced_.size(); ++i) {
    if (traced_[i].pid != pid) continue;
    EndTraced(i, traced_[i].gone ? EndOfTraced(traced_[i])
                                 : ProcessEnd{EndReason::kExeced, -1});
    break;
  }
  const pid_t parent = family_.ParentOf(peer, hello);
  Traced traced;
  traced.pid = pid;
  traced.pidfd = peer.pidfd;
  traced.exe = ExecutableOf(pid);
  traced.program = hello.executable;
  traced.suspect = traced.program != traced.exe.path;
  if (traced.program.empty()) traced.program = traced.exe.path;
  if (traced.program.empty()) traced.program = CommandNameOf(pid);
  const Family::Member* const from = family_.Find(parent);
  if (traced.program.empty() && from != nullptr) {
    traced.program = from->program;  // a forked child that is gone already
  }
  struct stat info;
  if (fstat(hello.image_fd, &info) == 0) traced.image_inode = info.st_ino;
  report_.SetConnected();
  traced.session = OpenNamed(traced.program, pid, parent, hello.image_fd);
  if (traced.session == nullptr) {
    RefuseImage(hello.image_fd);
    if (traced.pidfd >= 0) close(traced.pidfd);
    return;
  }
  strangers_.Met(pid);
  family_.Add(pid, hello, traced.session->path(), traced.program);
  traced_.push_back(std::move(traced));
  sessions_.push_back(traced_.back().session.get());
  leak_checks_.Add(sessions_.back(), parent);
  reception_.OpenForChecks(pid);
  if (peer.gone) {
    EndTraced(traced_.size() - 1, EndOfTraced(traced_.back()));
  } else if (peer.pidfd >= 0) {
    Watch(peer.pidfd, kProcess);
  }
}

// The session under the first name that is free; nullptr after noting why not.
std::unique_ptr<Session> Collector::OpenNamed(const std::string& program, pid_t pid,
                                              pid_t parent, int image_fd) {
  SessionOptions session_options;
  session_options.allocator = options_.allocator;
  session_options.compression_level = options_.compression_level;
  // After an exec the process is its own predecessor.
  const Family::Member* from = family_.Find(pid);
  if (from == nullptr) from = family_.Find(parent);
  if (from != nullptr) {
    session_options.parent_trace = from->path.substr(from->path.rfind('/') + 1);
  }
  session_options.parent = parent;
  auto session = OpenUnderFreeName(&names_, program, pid, image_fd,
                                   std::move(session_options));
  if (session.ok()) return *std::move(session);
  absl::Status status = session.status();
  if (absl::IsResourceExhausted(status) && !NamesALimit(status.message())) {
    status = absl::ResourceExhaustedError(
        absl::StrCat(status.message(), LimitBehind(ENOMEM)));
  }
  if (family_.empty()) first_error_.Update(status);
  FinishedFile file;
  file.program = program;
  file.pid = pid;
  file.error = std::string(status.message());
  report_.Add(std::move(file), nullptr, main_pid_);
  return nullptr;
}

ProcessEnd Collector::EndOfTraced(const Traced& traced) const {
  const auto state = static_cast<ProgramState>(
      traced.session->header()->program_state.load(std::memory_order_acquire));
  if (state == ProgramState::kDetached) return {EndReason::kDetached, -1};
  ProcessEnd end = EndOf(traced.pid, traced.pidfd);
  if (end.reason == EndReason::kVanished && state == ProgramState::kExiting) {
    end.reason = EndReason::kExited;
  }
  return end;
}

void Collector::HandleProcessEnd(int pidfd) {
  for (size_t i = 0; i < traced_.size(); ++i) {
    Traced& traced = traced_[i];
    if (traced.pidfd != pidfd) continue;
    if (IsMain(traced)) {
      // The launcher knows how it ended and is about to say so.
      epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, pidfd, nullptr);
      traced.gone = true;
      return;
    }
    EndTraced(i, EndOfTraced(traced));
    return;
  }
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, pidfd, nullptr);
}

// Last records, footer, file closed; the process is struck off the roll.
void Collector::EndTraced(size_t index, ProcessEnd end) {
  Traced traced = std::move(traced_[index]);
  traced_.erase(traced_.begin() + static_cast<ptrdiff_t>(index));
  sessions_.erase(sessions_.begin() + static_cast<ptrdiff_t>(index));
  reception_.CloseForChecks(traced.pid);
  leak_checks_.Remove(traced.session.get(), end);
  CountUnrecorded(*traced.session->header(), &unrecorded_);
  strangers_.Forget(traced.pid);
  traced.session->AddWords(strangers_.Words(traced.pid));
  const absl::Status status = traced.session->Finish(end.reason, end.detail, 0);
  FinishedFile file;
  file.path = traced.session->path();
  file.program = traced.program;
  file.pid = traced.pid;
  file.error =
      status.ok() ? traced.session->trouble() : std::string(status.message());
  if (file.error.empty() && end.reason == EndReason::kDetached)
    file.error = stopped_;
  report_.Add(std::move(file), &traced.session->summary(), main_pid_);
  if (traced.pidfd >= 0) close(traced.pidfd);  // leaves the epoll instance, too
}

void Collector::HandleControl() {
  ControlMessage message;
  const ssize_t size = recv(control_fd_, &message, sizeof(message), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size != sizeof(message)) {  // the launcher is gone
    close(control_fd_);
    control_fd_ = -1;
    stopped_launcher_ = 0;
    leak_checks_.LauncherGone();
    for (size_t i = traced_.size(); i-- > 0;) {
      if (traced_[i].gone) EndTraced(i, EndOfTraced(traced_[i]));
    }
    return;
  }
  switch (message.kind) {
    case ControlKind::kStarted:
      main_pid_ = message.pid;
      break;
    case ControlKind::kStopped:
      stopped_launcher_ = message.pid;
      break;
    case ControlKind::kRunning:
      stopped_launcher_ = 0;
      break;
    case ControlKind::kEnded:
      Report(message.status);
      break;
    case ControlKind::kReport:
      break;
  }
}

// The program has ended: finishes its trace and all others that can be, and tells
// the launcher, which then ends.
void Collector::Report(int wait_status) {
  reception_.Receive();
  for (size_t i = 0; i < traced_.size(); ++i) {
    if (traced_[i].pid != main_pid_) continue;
    EndTraced(i, EndFromWaitStatus(wait_status));
    break;
  }
  // Nothing is read from the launcher any more. Children that ended before the
  // program did are to be in the report: their pidfds are ready now.
  const int control = std::exchange(control_fd_, -1);
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, control, nullptr);
  HandleReady();
  EndUnwatched();
  UnrecordedCounts unrecorded = unrecorded_;
  for (const Traced& traced : traced_) {
    CountUnrecorded(*traced.session->header(), &unrecorded);
  }
  std::string words = WordsOfUnrecorded(unrecorded);
  const std::string strangers = strangers_.Words(0);
  if (!words.empty() && !strangers.empty()) words += "; ";
  SendPacket(control, EncodeReport(report_.Get(traced_.size(), words + strangers)));
  close(control);
}

void Collector::LookForStrangers(uint64_t now) {
  std::vector<pid_t> pids;
  for (const Traced& traced : traced_) pids.push_back(traced.pid);
  strangers_.Look(now, pids, [this](pid_t pid) {
    return pid == getpid() || family_.Find(pid) != nullptr;
  });
}

// Housekeeping, about every 10 ms.
void Collector::Tick(uint64_t now) {
  ++ticks_;
  for (Traced& traced : traced_) traced.session->Tick(now);
  // The launcher stopped with its program; someone continued the program alone.
  // Seen several times over: one that is let go after a leak check runs for a
  // moment before it stands still again.
  const bool runs = stopped_launcher_ != 0 && !IsStopped(main_pid_);
  runs_ticks_ = runs ? runs_ticks_ + 1 : 0;
  if (runs_ticks_ >= kTicksToRun && IsStopped(stopped_launcher_)) {
    kill(stopped_launcher_, SIGCONT);
  }
  EndUnwatched();
  LookForStrangers(now);
  if (ticks_ % kTicksPerExecCheck == 0) CheckForExec();
  if (cpu_limit_ != UINT64_MAX && ProcessCpuNs() > cpu_limit_ - cpu_limit_ / 4) {
    StopEarly(absl::StrCat("the collector has used up its processor time",
                           LimitBehind(ETIME)));
  }
}

// While there is time to finish the files.
void Collector::StopEarly(const std::string& why) {
  stopped_ = why;
  for (size_t i = traced_.size(); i-- > 0;) {
    traced_[i].session->AddWords(why);
    EndTraced(i, {EndReason::kDetached, -1});
  }
}

Remains Collector::Forsake(const std::string& why) {
  Remains remains;
  leak_checks_.Await();
  for (const Traced& traced : traced_) {
    traced.session->Salvage();
    FinishedFile file;
    file.path = traced.session->path();
    file.program = traced.program;
    file.pid = traced.pid;
    file.error = absl::StrCat(why, "; the trace is cut there");
    report_.Add(std::move(file), nullptr, main_pid_);
  }
  remains.report = report_.Get(0, WordsOfUnrecorded(unrecorded_));
  remains.main_pid = main_pid_;
  remains.stopped_launcher = stopped_launcher_;
  remains.listen_fds = reception_.Close();
  remains.control_fd = std::exchange(control_fd_, -1);
  return remains;
}

// Processes without a pidfd are asked after.
void Collector::EndUnwatched() {
  for (size_t i = traced_.size(); i-- > 0;) {
    Traced& traced = traced_[i];
    if (traced.pidfd >= 0 || traced.gone || ProcessExists(traced.pid)) continue;
    if (IsMain(traced)) {
      traced.gone = true;
    } else {
      EndTraced(i, EndOfTraced(traced));
    }
  }
}

// An exec of a program that does not connect (static, cleared environment): the
// image was unmapped by it, so nothing more will come. Another executable makes a
// process suspect; what it maps tells.
void Collector::CheckForExec() {
  for (size_t i = traced_.size(); i-- > 0;) {
    Traced& traced = traced_[i];
    if (traced.gone) continue;
    const Executable exe = ExecutableOf(traced.pid);
    if (exe.path.empty() || (exe == traced.exe && !traced.suspect)) continue;
    traced.exe = exe;
    traced.suspect = false;
    if (MayMap(traced.pid, traced.image_inode, kImageName)) continue;
    // It may have connected just now; that ends the old session and moves others.
    const pid_t pid = traced.pid;
    const size_t before = traced_.size();
    reception_.Receive();
    if (traced_.size() == before && traced_[i].pid == pid &&
        !MayMap(pid, traced_[i].image_inode, kImageName)) {
      EndTraced(i, {EndReason::kExeced, -1});
    }
    return;  // the rest waits for the next check
  }
}

bool Collector::Finished() {
  const auto busy = [this] {
    return !traced_.empty() || reception_.busy() || control_fd_ >= 0;
  };
  if (busy()) return false;
  // In the background, without any traced process: as long as there is one that
  // knows our socket, we stay. Who has connected meanwhile is handled first.
  if (!reception_.open() || !report_.connected()) return true;
  const bool found = heirs_.Find();
  reception_.Receive();
  return !found && !busy();
}

}  // namespace

absl::Status RunCollector(const CollectorOptions& options,
                          const std::vector<int>& listen_fds, int first_fd,
                          int control_fd) {
  // Something to speak with when nothing is left.
  std::unique_ptr<char[]> reserve(new (std::nothrow) char[kReserveBytes]);
  const Peer first = first_fd >= 0 ? PeerOf(first_fd) : Peer();
  if (first.pidfd >= 0) close(first.pidfd);
  std::unique_ptr<Collector> collector;
  absl::Status status;
  std::string why;
  bool recorded = false;
  try {
    why = MissingDescriptors();
    if (why.empty()) {
      collector = std::make_unique<Collector>(options);
      status = collector->Run(listen_fds, first_fd, control_fd);
      why = collector->stopped();
    }
  } catch (const std::bad_alloc&) {
    reserve.reset();
    why = OutOfMemory();
  }
  Remains remains;
  if (collector == nullptr || !collector->began()) {
    RefuseGuest(first_fd);
    remains.listen_fds = listen_fds;
    remains.control_fd = control_fd;
  } else {
    recorded = collector->recorded();
    if (!why.empty()) remains = collector->Forsake(why);
  }
  collector.reset();  // tells the programs, and frees the memory
  if (why.empty() && status.ok()) return status;
  if (first.pid > 0 && !recorded) {
    LeaveWord(options, first.pid,
              why.empty() ? std::string(status.message()) : why);
  }
  if (why.empty()) return status;
  SitOut(std::move(remains), why);
  return absl::ResourceExhaustedError(why);
}

}  // namespace mallogram
