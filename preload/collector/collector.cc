// One thread does everything but watch descriptors (waker.h): it must be the one
// that opened the sessions, since its life is what the programs watch.
#include "preload/collector/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "preload/collector/control.h"
#include "preload/collector/naming.h"
#include "preload/collector/processes.h"
#include "preload/collector/session.h"
#include "preload/collector/waker.h"
#include "preload/image.h"

namespace mallogram {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
// A round that took fewer records than this is followed by a nap: rings hold many
// times as much and ring the doorbell when half full, so nothing waits for us, and
// a program that records a little all the time does not cost a whole core.
constexpr uint64_t kBusyRecords = 4096;
constexpr uint64_t kMinSleepNs = 1 * kMillisecond;
constexpr uint64_t kMaxSleepNs = 10 * kMillisecond;
constexpr uint64_t kTickNs = 9 * kMillisecond;
constexpr int kTicksPerExecCheck = 10;
// In the background, after the last process: how long a child that was forked by
// it at its very end may take to connect. Nobody waits for this.
constexpr uint64_t kLingerNs = 250 * kMillisecond;
constexpr int kMaxNames = 10'000;

uint64_t MonotonicNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(t.tv_nsec);
}

// Tells the program that nobody will ever drain this image: it stops recording
// instead of waiting for room. The kernel would do the same if we had died.
void RefuseImage(int image_fd) {
  constexpr uint32_t kFutexOwnerDied = 0x40000000;
  struct stat info;
  if (fstat(image_fd, &info) != 0 ||
      static_cast<uint64_t>(info.st_size) < sizeof(ImageHeader)) {
    return;
  }
  void* memory = mmap(nullptr, sizeof(ImageHeader), PROT_READ | PROT_WRITE,
                      MAP_SHARED, image_fd, 0);
  if (memory == MAP_FAILED) return;
  auto* header = static_cast<ImageHeader*>(memory);
  reinterpret_cast<std::atomic<uint32_t>*>(&header->collector_alive)
      ->store(kFutexOwnerDied, std::memory_order_release);
  munmap(memory, sizeof(ImageHeader));
}

// A field of the image's header, read from the descriptor: before the image has
// been checked, nothing of it is mapped.
template <typename T>
T FieldOf(int image_fd, size_t offset) {
  T value{};
  const ssize_t got =
      pread(image_fd, &value, sizeof(value), static_cast<off_t>(offset));
  return got == sizeof(value) ? value : T{};
}

// The executable that the process named; empty if it named none.
std::string ExecutableIn(int image_fd) {
  const auto strings =
      FieldOf<uint64_t>(image_fd, offsetof(ImageHeader, strings_offset));
  const auto offset =
      FieldOf<uint32_t>(image_fd, offsetof(ImageHeader, executable_offset));
  char path[4096];
  const ssize_t got = offset == 0 ? 0
                                  : pread(image_fd, path, sizeof(path),
                                          static_cast<off_t>(strings + offset));
  return got > 0 ? std::string(path, strnlen(path, static_cast<size_t>(got))) : "";
}

class Collector {
 public:
  Collector(const CollectorOptions& options, int listen_fd, int first_fd,
            int control_fd);
  ~Collector();
  absl::Status Run();

 private:
  // What is watched in the epoll instance.
  enum Watched : uint64_t { kListener, kControl, kConnection, kProcess };

  struct Traced {
    std::unique_ptr<Session> session;
    pid_t pid = 0;
    int pidfd = -1;     // -1: polled
    bool gone = false;  // ended, but waits for its status from the launcher
    std::string program;
    Executable exe;
  };
  // The last file of every process, for names and parent links.
  struct Known {
    std::string path, program;
  };

  void Watch(int fd, Watched what);
  void HandleReady();
  void HandleConnections();
  void ReadHello(int connection);
  void Admit(const Peer& peer, const HelloMessage& hello, int image_fd);
  std::unique_ptr<Session> OpenNamed(const std::string& program, pid_t pid,
                                     pid_t parent, int image_fd);
  void HandleProcessEnd(int pidfd);
  void HandleControl();
  void Report(int wait_status);
  void Tick(uint64_t now);
  void EndUnwatched();
  void CheckForExec();
  void EndTraced(size_t index, ProcessEnd end);
  void NoteFile(FinishedFile file, const Summary* summary);
  bool IsMain(const Traced& traced) const {
    return control_fd_ >= 0 && traced.pid == main_pid_;
  }
  ProcessEnd EndOfTraced(const Traced& traced) const;
  bool Finished(uint64_t now);
  uint64_t SleepLimit(uint64_t now) const;

  const CollectorOptions options_;
  int listen_fd_, control_fd_;
  const int epoll_fd_;
  TraceNames names_;
  std::vector<Traced> traced_;
  std::vector<Session*> sessions_;  // of traced_, for the waker
  std::vector<int> connections_;    // accepted, without a message so far
  std::unordered_map<pid_t, Known> known_;
  pid_t main_pid_ = 0;
  pid_t stopped_launcher_ = 0;
  uint64_t ticks_ = 0;
  uint64_t empty_since_ = 0;  // background, no process: since when
  RecordingReport report_;
  absl::Status first_error_;
};

Collector::Collector(const CollectorOptions& options, int listen_fd, int first_fd,
                     int control_fd)
    : options_(options),
      listen_fd_(listen_fd),
      control_fd_(control_fd),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      names_(options.output, options.directory) {
  if (listen_fd_ >= 0) {
    fcntl(listen_fd_, F_SETFL, O_NONBLOCK);
    Watch(listen_fd_, kListener);
  }
  if (control_fd_ >= 0) Watch(control_fd_, kControl);
  if (first_fd >= 0) {
    connections_.push_back(first_fd);
    Watch(first_fd, kConnection);
  }
}

Collector::~Collector() {
  for (const int fd : connections_) close(fd);
  if (listen_fd_ >= 0) close(listen_fd_);
  if (control_fd_ >= 0) close(control_fd_);
  close(epoll_fd_);
}

absl::Status Collector::Run() {
  Waker waker(epoll_fd_);
  HandleReady();  // a first hello is handled even if the watcher could not start
  uint64_t sleep_ns = kMinSleepNs;
  uint64_t last_tick = 0;
  int idle_rounds = 0;
  for (;;) {
    if (waker.attention()) {
      HandleReady();
      waker.Handled();
    }
    uint64_t taken = 0;
    for (Traced& traced : traced_) taken += traced.session->Drain();
    const uint64_t now = MonotonicNs();
    if (now - last_tick >= kTickNs) {
      last_tick = now;
      Tick(now);
    }
    if (Finished(now)) return first_error_;
    if (taken >= kBusyRecords) {
      sleep_ns = kMinSleepNs;
      idle_rounds = 0;
      continue;
    }
    sleep_ns = taken > 0 ? kMinSleepNs : std::min(sleep_ns * 2, kMaxSleepNs);
    idle_rounds = taken > 0 ? 0 : idle_rounds + 1;
    const uint64_t timeout = traced_.empty() ? SleepLimit(now) : sleep_ns;
    // A ring that can't be read (damaged by the program) always looks like work:
    // after some rounds without any progress we sleep all the same.
    waker.Sleep(sessions_, timeout, /*only_if_idle=*/taken == 0 && idle_rounds < 8);
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
        HandleConnections();
        break;
      case kControl:
        HandleControl();
        break;
      case kConnection:
        ReadHello(fd);
        break;
      case kProcess:
        // What the process sent at its very end comes first.
        HandleConnections();
        HandleProcessEnd(fd);
        break;
    }
  }
}

// Accepts all who wait and reads the messages that are there.
void Collector::HandleConnections() {
  while (listen_fd_ >= 0) {
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        // Out of descriptors: who waits is not recorded, but must not be waited
        // for in a busy loop either.
        close(listen_fd_);
        listen_fd_ = -1;
        ++report_.troubled;
        report_.first_trouble = "too many processes at once: some are not recorded";
      }
      break;
    }
    connections_.push_back(fd);
    Watch(fd, kConnection);
  }
  const std::vector<int> waiting = connections_;
  for (const int fd : waiting) ReadHello(fd);
}

// Takes the one message of a connection, if it is there, and closes it.
void Collector::ReadHello(int connection) {
  HelloMessage hello{};
  iovec part{&hello, sizeof(hello)};
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary;
  message.msg_controllen = sizeof(ancillary);
  const ssize_t size =
      recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    return;
  int image_fd = -1;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); size > 0 && c != nullptr;
       c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
      memcpy(&image_fd, CMSG_DATA(c), sizeof(image_fd));
    }
  }
  if (image_fd >= 0) {
    if (size == sizeof(hello) && hello.magic == kImageMagic &&
        hello.version == kImageVersion) {
      Admit(PeerOf(connection), hello, image_fd);
    } else {
      RefuseImage(image_fd);
      first_error_.Update(absl::FailedPreconditionError(
          "library and command come from different builds of Mallogram"));
    }
    close(image_fd);
  }
  connections_.erase(
      std::find(connections_.begin(), connections_.end(), connection));
  close(connection);
}

// A process hands over its image: opens its trace. `image_fd` stays the caller's.
void Collector::Admit(const Peer& peer, const HelloMessage& hello, int image_fd) {
  const pid_t pid = peer.pid > 0 ? peer.pid : hello.pid;
  // The same process with a new image has replaced itself by exec. (Or it is dead
  // and another one has got its number; its own pidfd tells.)
  for (size_t i = 0; i < traced_.size(); ++i) {
    if (traced_[i].pid != pid) continue;
    EndTraced(i, traced_[i].gone ? EndOfTraced(traced_[i])
                                 : ProcessEnd{EndReason::kExeced, -1});
    break;
  }
  const pid_t parent = FieldOf<int32_t>(image_fd, offsetof(ImageHeader, ppid));
  Traced traced;
  traced.pid = pid;
  traced.pidfd = peer.pidfd;
  traced.exe = ExecutableOf(pid);
  traced.program = ExecutableIn(image_fd);
  if (traced.program.empty()) traced.program = traced.exe.path;
  if (traced.program.empty()) traced.program = CommandNameOf(pid);
  if (traced.program.empty() && known_.count(parent) != 0) {
    traced.program = known_[parent].program;  // a forked child that is gone already
  }
  report_.connected = true;
  traced.session = OpenNamed(traced.program, pid, parent, image_fd);
  if (traced.session == nullptr) {
    RefuseImage(image_fd);
    if (traced.pidfd >= 0) close(traced.pidfd);
    return;
  }
  known_[pid] = {traced.session->path(), traced.program};
  traced_.push_back(std::move(traced));
  sessions_.push_back(traced_.back().session.get());
  if (peer.gone) {
    EndTraced(traced_.size() - 1, {});
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
  auto from = known_.find(pid);
  if (from == known_.end()) from = known_.find(parent);
  if (from != known_.end()) {
    const std::string& path = from->second.path;
    session_options.parent_trace = path.substr(path.rfind('/') + 1);
  }
  absl::Status status;
  for (int attempt = 1; attempt < kMaxNames; ++attempt) {
    session_options.path = names_.Candidate(program, pid, attempt);
    if (access(session_options.path.c_str(), F_OK) == 0) continue;
    auto session =
        Session::Open(fcntl(image_fd, F_DUPFD_CLOEXEC, 3), pid, session_options);
    if (session.ok()) {
      names_.FirstIsNamed();
      return *std::move(session);
    }
    status = session.status();
    if (!absl::IsAlreadyExists(status)) break;
  }
  if (known_.empty()) first_error_.Update(status);
  FinishedFile file;
  file.program = program;
  file.pid = pid;
  file.error = std::string(status.message());
  NoteFile(std::move(file), nullptr);
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
  const absl::Status status = traced.session->Finish(end.reason, end.detail, 0);
  FinishedFile file;
  file.path = traced.session->path();
  file.program = traced.program;
  file.pid = traced.pid;
  file.error =
      status.ok() ? traced.session->trouble() : std::string(status.message());
  NoteFile(std::move(file), &traced.session->summary());
  if (traced.pidfd >= 0) close(traced.pidfd);  // leaves the epoll instance, too
}

// Into the report: as the program's own file, or as one of the others.
void Collector::NoteFile(FinishedFile file, const Summary* summary) {
  const auto add_other = [this](FinishedFile other, uint64_t allocations) {
    ++report_.other_processes;
    report_.other_allocations += allocations;
    if (!other.error.empty()) {
      if (report_.troubled++ == 0) report_.first_trouble = other.error;
    }
    if (report_.others.size() < RecordingReport::kMaxOthers) {
      report_.others.push_back(std::move(other));
    }
  };
  if (main_pid_ == 0 || file.pid == main_pid_) {
    // An exec: what the program was before becomes one of the others.
    if (report_.main.pid != 0) {
      add_other(std::move(report_.main), report_.summary.totals.allocations);
    }
    report_.main = std::move(file);
    report_.summary = Summary();
    if (summary != nullptr) {
      report_.summary = *summary;
      report_.summary.sites.clear();
      report_.summary.timeline.clear();
    }
  } else {
    add_other(std::move(file),
              summary != nullptr ? summary->totals.allocations : 0);
  }
}

void Collector::HandleControl() {
  ControlMessage message;
  const ssize_t size = recv(control_fd_, &message, sizeof(message), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size != sizeof(message)) {  // the launcher is gone
    close(control_fd_);
    control_fd_ = -1;
    stopped_launcher_ = 0;
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
  HandleConnections();
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
  report_.still_running = traced_.size();
  SendPacket(control, EncodeReport(report_));
  close(control);
}

// Housekeeping, about every 10 ms.
void Collector::Tick(uint64_t now) {
  ++ticks_;
  for (Traced& traced : traced_) traced.session->Tick(now);
  // The launcher stopped with its program; someone continued the program alone.
  if (stopped_launcher_ != 0 && !IsStopped(main_pid_) &&
      IsStopped(stopped_launcher_)) {
    kill(stopped_launcher_, SIGCONT);
  }
  EndUnwatched();
  if (ticks_ % kTicksPerExecCheck == 0) CheckForExec();
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
// image was unmapped by it, so nothing more will come.
void Collector::CheckForExec() {
  for (size_t i = traced_.size(); i-- > 0;) {
    const pid_t pid = traced_[i].pid;
    if (traced_[i].gone || traced_[i].exe.path.empty()) continue;
    const Executable exe = ExecutableOf(pid);
    if (exe.path.empty() || exe == traced_[i].exe) continue;
    // It may have connected just now; that ends the old session and moves others.
    const size_t before = traced_.size();
    HandleConnections();
    if (traced_.size() != before || traced_[i].pid != pid ||
        exe == traced_[i].exe) {
      return;  // the rest waits for the next check
    }
    EndTraced(i, {EndReason::kExeced, -1});
  }
}

bool Collector::Finished(uint64_t now) {
  if (!traced_.empty() || !connections_.empty() || control_fd_ >= 0) {
    empty_since_ = 0;
    return false;
  }
  if (listen_fd_ < 0 || !report_.connected) return true;
  if (empty_since_ == 0) empty_since_ = now;
  return now - empty_since_ >= kLingerNs;
}

// Without any process: how long to sleep at most; 0: until something happens.
uint64_t Collector::SleepLimit(uint64_t now) const {
  if (stopped_launcher_ != 0) return kMaxSleepNs;
  if (empty_since_ == 0) return 0;
  return std::max<uint64_t>(kLingerNs - std::min(now - empty_since_, kLingerNs), 1);
}

}  // namespace

absl::Status RunCollector(const CollectorOptions& options, int listen_fd,
                          int first_fd, int control_fd) {
  // A descriptor or two for each process that is recorded.
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  return Collector(options, listen_fd, first_fd, control_fd).Run();
}

void BecomeCollector(std::vector<int> keep_fds) {
  prctl(PR_SET_NAME, "mgram-collector");
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  std::sort(keep_fds.begin(), keep_fds.end());
  unsigned int next = 3;
  for (const int fd : keep_fds) {
    const auto keep = static_cast<unsigned int>(fd);
    if (keep > next) close_range(next, keep - 1, 0);
    next = std::max(next, keep + 1);
  }
  close_range(next, ~0u, 0);
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  if (null > 2) close(null);
}

}  // namespace mallogram
