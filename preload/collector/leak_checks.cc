#include "preload/collector/leak_checks.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "preload/collector/check_request.h"
#include "preload/collector/stamp_clock.h"
#include "preload/collector/thread_facts.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

// Of larger heaps no copy is made for forked children: 16 bytes a block.
constexpr uint64_t kMostInherited = 4 << 20;
// So many ended processes' heaps are kept for children that have not spoken yet.
constexpr size_t kPastProcesses = 64;
constexpr uint64_t kMostPast = 64 << 10;  // blocks, of each

// Bytes alive of a heap that is scanned at once.
constexpr uint64_t kSmallHeap = 16 << 20;

void AnswerRequest(HoldRequest* request, bool granted) {
  // Not if it was withdrawn.
  uint32_t state = HoldRequest::kTaken;
  request->state.compare_exchange_strong(
      state, granted ? HoldRequest::kGranted : HoldRequest::kRefused);
  sys::FutexWake(&request->state, 1);
}

bool TakeRequest(HoldRequest* request) {
  uint32_t state = HoldRequest::kAsked;
  return request->state.load(std::memory_order_relaxed) == state &&
         request->state.compare_exchange_strong(state, HoldRequest::kTaken);
}

bool IsFull(const Session& session) {
  return session.leak_check() == LeakCheckMode::kFull;
}

// Why the end of a process was not looked at.
std::string WhyNot(const Session& session, const ProcessEnd& end, bool asked,
                   const std::string& refusal) {
  const bool signalled = end.reason == EndReason::kSignalled;
  if (signalled && end.detail == SIGKILL) return "killed by SIGKILL";
  if (!refusal.empty()) return refusal;
  const char* const hint = "; record with --leak-check full to have it classified";
  if (!IsFull(session) && signalled && !asked) {
    const char* const name = sigabbrev_np(static_cast<int>(end.detail));
    return absl::StrCat("died of SIG", name != nullptr ? name : "?", hint);
  }
  if (!IsFull(session) && end.reason == EndReason::kVanished) {
    return absl::StrCat("it was killed, or ended by a system call of its own",
                        hint);
  }
  if (!IsFull(session) && !asked) {
    return absl::StrCat("it ended by a system call of its own", hint);
  }
  return "it could not be held at its end";
}

// What the program said of its stack, for the thread that said it.
void ApplyFrame(const HoldRequest& request, Session* session,
                std::vector<StoppedThread>* threads) {
  if (request.sp == 0) return;
  const pid_t teller = session->ThreadHere(request.tid);
  for (StoppedThread& thread : *threads) {
    if (thread.tid != teller || thread.registers.rsp > request.sp) continue;
    user_regs_struct live{};
    live.fs_base = thread.registers.fs_base;
    live.gs_base = thread.registers.gs_base;
    live.rip = request.pc;
    live.rsp = request.sp;
    live.rbx = request.bx;
    live.rbp = request.bp;
    live.r12 = request.r12;
    live.r13 = request.r13;
    live.r14 = request.r14;
    live.r15 = request.r15;
    thread.registers = live;
    thread.live_sp = request.sp;
  }
}

void DescribeCheck(const Session& session, LeakCheck* check) {
  check->time_ns = session.NowNs();
  check->events = session.event_count();
}

// What the scan of a held process is to look at.
ScanRequest RequestFor(Session* session, const TraceReport& held,
                       const InheritedHeap* inherited) {
  session->CatchUp(/*ended=*/held.at_end);
  ScanRequest request;
  session->Describe(&request);
  // A main thread that has ended has no memory any more; any other shows it.
  request.pid = held.pid;
  request.threads = held.threads;
  bool leader = false;
  for (const StoppedThread& thread : held.threads) {
    leader = leader || thread.tid == held.pid;
  }
  if (!leader && !held.threads.empty()) {
    request.pid = held.threads.front().tid;
    // Of its stack nothing is alive but what the kernel put there.
    StoppedThread ended;
    ended.tid = held.pid;
    ended.live_sp = ended.registers.rsp = StackStart(request.pid);
    if (ended.live_sp != 0) request.threads.push_back(ended);
  }
  const ImageHeader& header = *session->header();
  if (header.at_end.state.load(std::memory_order_acquire) != HoldRequest::kFree) {
    ApplyFrame(header.at_end, session, &request.threads);
  }
  if (header.at_once.state.load(std::memory_order_acquire) == HoldRequest::kTaken &&
      header.at_once.kind == HoldRequest::kCheck) {
    ApplyFrame(header.at_once, session, &request.threads);
  }
  for (; inherited != nullptr; inherited = inherited->older.get()) {
    request.inherited.insert(request.inherited.end(), inherited->blocks.begin(),
                             inherited->blocks.end());
  }
  return request;
}

LeakCheck ScanOf(const ScanRequest& request) {
  absl::StatusOr<LeakCheck> scanned = ScanProcess(request);
  if (scanned.ok()) return *std::move(scanned);
  LeakCheck check;
  check.reason = std::string(scanned.status().message());
  check.blocks = request.model->live_blocks();
  check.bytes = request.model->live_bytes();
  return check;
}

}  // namespace

LeakChecks::~LeakChecks() {
  for (auto& [pid, watched] : watched_) {
    for (const int fd : watched.connections) close(fd);
    if (watched.scan != nullptr && watched.scan->thread.joinable())
      watched.scan->thread.join();
  }
}

void LeakChecks::Add(Session* session, pid_t parent) {
  if (session->leak_check() == LeakCheckMode::kNone) return;
  const pid_t pid = session->pid();
  Watched& watched = watched_[pid];
  watched.session = session;
  const auto open = watched_.find(parent);
  if (open != watched_.end()) {
    watched.inherited = HeapOf(open->second);
  } else {
    for (const Past& past : past_) {
      if (past.pid == parent) watched.inherited = past.heap;
    }
  }
  if (IsFull(*session)) tracer_.Seize(pid, /*for_life=*/true);
}

std::shared_ptr<const InheritedHeap> LeakChecks::HeapOf(
    const Watched& watched) const {
  watched.session->CatchUp(/*ended=*/false);
  auto heap = std::make_shared<InheritedHeap>();
  heap->older = watched.inherited;
  watched.session->CopyLive(kMostInherited, &heap->blocks);
  return heap;
}

void LeakChecks::Remove(Session* session, const ProcessEnd& end) {
  const auto found = watched_.find(session->pid());
  if (found == watched_.end() || found->second.session != session) return;
  Watched& watched = found->second;
  if (watched.scan != nullptr) Conclude(&watched);  // killed while it was held
  Answer(&watched, "the process has ended", 0);
  session->CatchUp(/*ended=*/true);
  const bool over = end.reason == EndReason::kExited ||
                    end.reason == EndReason::kSignalled ||
                    end.reason == EndReason::kVanished;
  if (over && !watched.ended) {
    LeakCheck check;
    const bool signalled = end.reason == EndReason::kSignalled;
    check.cause = signalled ? CheckCause::kSignal : CheckCause::kExit;
    check.detail = end.detail;
    check.reason = WhyNot(*session, end, watched.asked_end, watched.refusal);
    session->CountLive(&check.blocks, &check.bytes);
    DescribeCheck(*session, &check);
    session->WriteLeakCheck(check);
  }
  // Its children may come later; an exec has none of its blocks.
  if (over) {
    auto heap = std::make_shared<InheritedHeap>();
    heap->older = std::move(watched.inherited);
    session->CopyLive(kMostPast, &heap->blocks);
    past_.push_back({session->pid(), std::move(heap)});
    if (past_.size() > kPastProcesses) past_.pop_front();
  }
  watched_.erase(found);
}

void LeakChecks::Look() {
  for (auto& [pid, watched] : watched_) LookAtRequests(pid, &watched);
  for (const TraceReport& report : tracer_.Take()) Handle(report);
  for (auto& [pid, watched] : watched_) {
    if (watched.scan != nullptr &&
        watched.scan->done.load(std::memory_order_acquire))
      Conclude(&watched);
  }
}

void LeakChecks::LookAtRequests(pid_t pid, Watched* watched) {
  ImageHeader* const header = watched->session->header();
  if (TakeRequest(&header->at_end)) {
    watched->asked_end = true;
    tracer_.Seize(pid, IsFull(*watched->session));
  }
  if (!TakeRequest(&header->at_once)) return;
  if (header->at_once.kind == HoldRequest::kLetGo) return tracer_.LetGo(pid);
  const bool under_way = watched->client || !watched->connections.empty();
  watched->client = true;
  if (!under_way) tracer_.Hold(pid);
}

void LeakChecks::Check(pid_t pid, int connection) {
  const auto found = watched_.find(pid);
  if (found == watched_.end()) {
    SendAnswer(connection, {"", 0, kUnknownProcess});
    close(connection);
    return;
  }
  Watched& watched = found->second;
  const bool under_way = watched.client || !watched.connections.empty();
  watched.connections.push_back(connection);
  SendAnswer(connection, {"", 0, kTaken});
  if (!under_way) tracer_.Hold(pid);
}

// To all that wait for the check that was made, or was not.
void LeakChecks::Answer(Watched* watched, const std::string& error,
                        uint32_t index) {
  for (const int fd : std::exchange(watched->connections, {})) {
    SendAnswer(fd, {watched->session->path(), index, error});
    close(fd);
  }
  if (std::exchange(watched->client, false)) {
    AnswerRequest(&watched->session->header()->at_once, error.empty());
  }
}

void LeakChecks::Handle(const TraceReport& report) {
  const auto found = watched_.find(report.pid);
  if (found == watched_.end()) {
    if (report.what == TraceReport::kHeld) tracer_.Resume(report.pid);
    return;
  }
  Watched* const watched = &found->second;
  ImageHeader* const header = watched->session->header();
  switch (report.what) {
    case TraceReport::kSeized:
      header->traced.store(1, std::memory_order_release);
      sys::FutexWake(&header->traced, 1);
      AnswerRequest(&header->at_end, true);
      break;
    case TraceReport::kRefused:
      Refused(report, watched);
      break;
    case TraceReport::kHeld:
      Held(report, watched);
      break;
    case TraceReport::kLetGo:
      if (header->at_once.kind == HoldRequest::kLetGo) {
        AnswerRequest(&header->at_once, true);
      }
      break;
  }
}

void LeakChecks::Refused(const TraceReport& report, Watched* watched) {
  if (report.of_hold) return Answer(watched, report.reason, 0);
  ImageHeader* const header = watched->session->header();
  watched->refusal = report.reason;
  header->traced.store(2, std::memory_order_release);
  sys::FutexWake(&header->traced, 1);
  AnswerRequest(&header->at_end, false);
}

void LeakChecks::Held(const TraceReport& report, Watched* watched) {
  auto scan = std::make_unique<Scan>();
  scan->held = report;
  scan->request = RequestFor(watched->session, report, watched->inherited.get());
  watched->scan = std::move(scan);
  Scan* const job = watched->scan.get();
  // A thread costs more than a small scan, and nothing is gained if no other
  // process could fill its rings meanwhile.
  if (watched_.size() > 1 && job->request.model->live_bytes() > kSmallHeap) {
    try {
      watched->session->Freeze(true);
      job->thread = std::thread([this, job] {
        job->check = ScanOf(job->request);
        job->done.store(true, std::memory_order_release);
        wake_();
      });
      return;
    } catch (const std::system_error&) {  // here, then
      watched->session->Freeze(false);
    }
  }
  job->check = ScanOf(job->request);
  Conclude(watched);
}

// The process goes on, and the check is written. Waits for its scan.
void LeakChecks::Conclude(Watched* watched) {
  const std::unique_ptr<Scan> scan = std::move(watched->scan);
  if (scan->thread.joinable()) scan->thread.join();
  Session* const session = watched->session;
  session->Freeze(false);
  const TraceReport& held = scan->held;
  LeakCheck& check = scan->check;
  check.warnings.insert(check.warnings.end(), held.warnings.begin(),
                        held.warnings.end());
  DescribeCheck(*session, &check);
  check.pause_ns = MonotonicNs() - held.since_ns;
  // Before the file is written: that is no business of the program's.
  tracer_.Resume(held.pid);
  if (held.at_end) {
    watched->ended = true;
    const bool signalled = WIFSIGNALED(held.status);
    check.cause = signalled ? CheckCause::kSignal : CheckCause::kExit;
    check.detail = signalled ? WTERMSIG(held.status) : WEXITSTATUS(held.status);
  } else {
    check.cause = watched->client ? CheckCause::kClient : CheckCause::kCommand;
  }
  const uint32_t index = session->WriteLeakCheck(check);
  if (!held.at_end) Answer(watched, "", index);
}

}  // namespace mallogram
