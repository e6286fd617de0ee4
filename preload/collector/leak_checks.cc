#include "preload/collector/leak_checks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "preload/collector/check_request.h"
#include "preload/collector/resource_limits.h"
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

// A heap and a process that are scanned at once, in some hundredths of a second.
constexpr uint64_t kSmallHeap = 16 << 20;
constexpr uint64_t kSmallProcess = 48 << 20;
// A signal that came while it was held, to any of its threads, comes before the end
// of which it was held; so long is waited for it.
constexpr uint64_t kSignalFirstNs = 30'000'000;
// What was found before the end still says something after so long.
constexpr uint64_t kLastsNs = 5'000'000'000;

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

bool IsForeign(const Session& session) {
  return session.leak_check() == LeakCheckMode::kForeign;
}

// Why the end of a process was not looked at.
std::string WhyNot(const Session& session, const ProcessEnd& end, bool asked,
                   const std::string& refusal) {
  const bool signalled = end.reason == EndReason::kSignalled;
  if (IsForeign(session)) {
    return "LeakSanitizer is in the program and looks itself: two at once are in "
           "each "
           "other's way";
  }
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
  session->CatchUp(/*ended=*/held.why == HoldFor::kEnd);
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
  if (held.why != HoldFor::kAsked &&
      header.at_end.state.load(std::memory_order_acquire) != HoldRequest::kFree) {
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

// For tests of what may cut a scan short: it takes at least so long.
long DawdlesMs() {
  const char* const text = getenv("MALLOGRAM_TEST_SCAN_MS");
  return text == nullptr ? 0 : atol(text);
}

void Dawdle(leaks::ScanControl* control) {
  for (long ms = DawdlesMs();
       ms > 0 && control->stop.load() == leaks::StopReason::kNone; --ms) {
    usleep(1000);
    ++control->progress;
  }
}

LeakCheck ScanOf(const ScanRequest& request) {
  LeakCheck check;
  try {
    Dawdle(request.control);
    absl::StatusOr<LeakCheck> scanned = ScanProcess(request);
    if (scanned.ok()) return *std::move(scanned);
    check.reason = std::string(scanned.status().message());
  } catch (const std::bad_alloc&) {
    check.reason = "there was not enough memory to look at it";
  }
  check.blocks = request.model->live_blocks();
  check.bytes = request.model->live_bytes();
  return check;
}

}  // namespace

LeakChecks::~LeakChecks() {
  Await();
  for (auto& [pid, watched] : watched_) {
    for (const int fd : watched.connections) close(fd);
  }
}

void LeakChecks::Await() {
  for (auto& [pid, watched] : watched_) {
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
  if (IsFull(*session)) tracer_.Seize(pid);
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
  // What the tracer has said of it comes before its end.
  for (const TraceReport& report : tracer_.Take()) Handle(report);
  if (watched.scan != nullptr) {  // killed while it was held
    watched.scan->held.control->stop.store(leaks::StopReason::kSignal);
    Conclude(&watched);
  }
  Answer(&watched, "the process has ended", 0);
  session->CatchUp(/*ended=*/true);
  const bool over = end.reason == EndReason::kExited ||
                    end.reason == EndReason::kSignalled ||
                    end.reason == EndReason::kVanished;
  if (over) session->WriteLeakCheck(CheckOfEnd(&watched, end));
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

// What was found just before, if it was, or why nothing was.
LeakCheck LeakChecks::CheckOfEnd(Watched* watched, const ProcessEnd& end) {
  const Session& session = *watched->session;
  LeakCheck check;
  const bool signalled = end.reason == EndReason::kSignalled;
  if (watched->last.has_value() &&
      (MonotonicNs() - watched->last_ns < kLastsNs ||
       watched->last->events == session.event_count())) {
    check = *std::move(watched->last);
    // Of a child nobody may know how it ended but itself.
    if (end.reason == EndReason::kVanished || end.detail < 0) return check;
  } else {
    check.reason = WhyNot(session, end, watched->asked_end, watched->refusal);
    session.CountLive(&check.blocks, &check.bytes);
    DescribeCheck(session, &check);
  }
  check.cause = signalled ? CheckCause::kSignal : CheckCause::kExit;
  check.detail = end.detail;
  return check;
}

std::string LeakChecks::WhyStopped(leaks::StopReason reason) const {
  switch (reason) {
    case leaks::StopReason::kBudget:
      return absl::StrCat("a look at its memory takes longer than the ",
                          static_cast<double>(budget_ns_) / 1e9,
                          " s that the program may stand still (--leak-budget)");
    case leaks::StopReason::kSignal:
      return "a signal that ends programs came while its memory was looked at";
    case leaks::StopReason::kLauncher:
      return "mallogram was killed while its memory was looked at";
    case leaks::StopReason::kHangs:
      return "the look at its memory got nowhere";
    case leaks::StopReason::kNone:
      break;
  }
  return "";
}

void LeakChecks::Look() {
  for (auto& [pid, watched] : watched_) LookAtRequests(pid, &watched);
  for (const TraceReport& report : tracer_.Take()) Handle(report);
  for (auto& [pid, watched] : watched_) {
    if (watched.answer_ns != 0 && MonotonicNs() > watched.answer_ns) {
      watched.answer_ns = 0;
      AnswerRequest(&watched.session->header()->at_end, true);
    }
    if (watched.scan != nullptr &&
        watched.scan->done.load(std::memory_order_acquire))
      Conclude(&watched);
  }
}

void LeakChecks::LookAtRequests(pid_t pid, Watched* watched) {
  ImageHeader* const header = watched->session->header();
  const bool under_way = watched->client || !watched->connections.empty();
  // One look after the other.
  if (!under_way && watched->scan == nullptr && TakeRequest(&header->at_end)) {
    watched->asked_end = true;
    tracer_.Hold(pid, HoldFor::kEnding, header->at_end.tid);
  }
  if (!TakeRequest(&header->at_once)) return;
  if (header->at_once.kind == HoldRequest::kLetGo) {
    // Answered for the one that asked, whichever is let go.
    const pid_t other = header->at_once.status;
    if (other == 0 || other == pid) return tracer_.LetGo(pid);
    lets_go_.push_back({other, pid});
    return tracer_.LetGo(other);
  }
  watched->client = true;
  if (!under_way) tracer_.Hold(pid, HoldFor::kAsked);
}

void LeakChecks::Check(pid_t pid, int connection) {
  const auto found = watched_.find(pid);
  if (found == watched_.end()) {
    SendAnswer(connection, {"", 0, kUnknownProcess});
    close(connection);
    return;
  }
  Watched& watched = found->second;
  if (IsForeign(*watched.session)) {
    SendAnswer(connection,
               {"", 0,
                "LeakSanitizer is in the program: two that look for leaks "
                "are in each other's way"});
    close(connection);
    return;
  }
  const bool under_way = watched.client || !watched.connections.empty();
  watched.connections.push_back(connection);
  SendAnswer(connection, {"", 0, kTaken});
  if (!under_way) tracer_.Hold(pid, HoldFor::kAsked);
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

// To those that asked on behalf of another process.
void LeakChecks::LetGo(pid_t pid) {
  for (size_t i = lets_go_.size(); i-- > 0;) {
    if (lets_go_[i].pid != pid) continue;
    const auto asker = watched_.find(lets_go_[i].asker);
    lets_go_.erase(lets_go_.begin() + static_cast<ptrdiff_t>(i));
    if (asker == watched_.end()) continue;
    AnswerRequest(&asker->second.session->header()->at_once, true);
  }
}

void LeakChecks::Handle(const TraceReport& report) {
  const auto found = watched_.find(report.pid);
  if (found == watched_.end()) {
    if (report.what == TraceReport::kHeld) tracer_.Resume(report);
    if (report.what == TraceReport::kLetGo) LetGo(report.pid);
    return;
  }
  Watched* const watched = &found->second;
  ImageHeader* const header = watched->session->header();
  switch (report.what) {
    case TraceReport::kSeized:
      header->traced.store(1, std::memory_order_release);
      sys::FutexWake(&header->traced, 1);
      break;
    case TraceReport::kRefused:
      Refused(report, watched);
      break;
    case TraceReport::kHeld:
      Held(report, watched);
      break;
    case TraceReport::kLetGo:
      LetGo(report.pid);
      if (header->at_once.kind == HoldRequest::kLetGo) {
        AnswerRequest(&header->at_once, true);
      }
      break;
  }
}

void LeakChecks::Refused(const TraceReport& report, Watched* watched) {
  if (report.of_hold && report.why == HoldFor::kAsked)
    return Answer(watched, report.reason, 0);
  ImageHeader* const header = watched->session->header();
  watched->refusal = report.reason;
  if (report.of_hold) {
    watched->answer_ns = MonotonicNs() + (report.by_signal ? kSignalFirstNs : 0);
    return;
  }
  header->traced.store(2, std::memory_order_release);
  sys::FutexWake(&header->traced, 1);
}

void LeakChecks::Held(const TraceReport& report, Watched* watched) {
  // The scan of a hold that the tracer ended: it ends now, too.
  if (watched->scan != nullptr) Conclude(watched);
  // It was looked at when it said that it would end, and has done nothing since.
  if (report.why != HoldFor::kAsked && watched->last.has_value()) {
    watched->session->CatchUp(/*ended=*/report.why == HoldFor::kEnd);
    if (watched->last->events == watched->session->event_count()) {
      tracer_.Resume(report);
      if (report.why == HoldFor::kEnding)
        AnswerRequest(&watched->session->header()->at_end, true);
      return;
    }
  }
  auto scan = std::make_unique<Scan>();
  scan->held = report;
  scan->request = RequestFor(watched->session, report, watched->inherited.get());
  watched->scan = std::move(scan);
  Scan* const job = watched->scan.get();
  job->request.control = job->held.control.get();
  // A thread costs more than a small scan. While a large one lasts, other processes
  // fill their rings, and the launcher may be killed.
  if (job->request.model->live_blocks() != 0 &&
      (job->request.model->live_bytes() > kSmallHeap ||
       ResidentBytes(job->request.pid) > kSmallProcess || DawdlesMs() != 0)) {
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
  const leaks::StopReason stop = held.control->stop.load(std::memory_order_acquire);
  if (stop != leaks::StopReason::kNone) {
    check = {};
    check.reason = WhyStopped(stop);
    session->CountLive(&check.blocks, &check.bytes);
  }
  check.warnings.insert(check.warnings.end(), held.warnings.begin(),
                        held.warnings.end());
  DescribeCheck(*session, &check);
  check.pause_ns = MonotonicNs() - held.since_ns;
  // Before the file is written: that is no business of the program's.
  tracer_.Resume(held);
  if (held.why == HoldFor::kAsked) {
    check.cause = watched->client ? CheckCause::kClient : CheckCause::kCommand;
    const uint32_t index = session->WriteLeakCheck(check);
    return Answer(watched, stop != leaks::StopReason::kNone ? check.reason : "",
                  index);
  }
  HoldRequest* const request = &session->header()->at_end;
  const bool told = held.why == HoldFor::kEnding && held.status == 0;
  const int status = told ? request->status : held.status;
  const bool signalled = WIFSIGNALED(status);
  check.cause = signalled ? CheckCause::kSignal : CheckCause::kExit;
  check.detail = signalled ? WTERMSIG(status) : WEXITSTATUS(status);
  watched->last = std::move(check);
  watched->last_ns = MonotonicNs();
  if (held.why != HoldFor::kEnding) return;
  if (stop == leaks::StopReason::kSignal) {
    watched->answer_ns = MonotonicNs() + kSignalFirstNs;
  } else {
    AnswerRequest(request, true);
  }
}

}  // namespace mallogram
