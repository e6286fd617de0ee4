// One traced process: image → orderer → feed → file. Everything hard is in those;
// here is when what happens.
#include "preload/collector/session.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "absl/strings/str_cat.h"
#include "preload/collector/allocate_ahead.h"
#include "preload/collector/event_feed.h"
#include "preload/collector/image_view.h"
#include "preload/collector/liveness.h"
#include "preload/collector/process_facts.h"
#include "preload/collector/program_words.h"
#include "preload/collector/trace_writer.h"
#include "preload/trace/sampled_model.h"

namespace mallogram {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kRssEveryNs = 10 * kMs;
constexpr uint64_t kStatusEveryNs = 20 * kMs;
constexpr uint64_t kReapEveryNs = 200 * kMs;
constexpr uint64_t kNamesEveryNs = 500 * kMs;
constexpr uint64_t kSamplesEveryNs = 1000 * kMs;
constexpr uint64_t kCalibrateEveryNs = 10 * kMs;
constexpr uint64_t kMaxBatchAgeNs = 500 * kMs;

// The stamp before which every published record is seen: rdtsc may be executed a
// little after loads that follow it, and TSCs may be skewed a little.
constexpr uint64_t kHorizonSlop = 4096;  // ticks; or 4 µs

// A dead process writes no more; a scribbling one that lives may not keep us.
constexpr int kMaxLastRounds = 1000;

// True at most once per interval.
class Every {
 public:
  explicit Every(uint64_t interval_ns) : interval_ns_(interval_ns) {}
  bool Due(uint64_t now_ns) {
    if (now_ns < next_ns_) return false;
    next_ns_ = now_ns + interval_ns_;
    return true;
  }

 private:
  const uint64_t interval_ns_;
  uint64_t next_ns_ = 0;
};

uint64_t ThreadCpuNs() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(t.tv_nsec);
}

// Several sessions share the collector's thread; each counts its own calls.
class CpuMeter {
 public:
  explicit CpuMeter(uint64_t* total) : total_(total), start_(ThreadCpuNs()) {}
  ~CpuMeter() { *total_ += ThreadCpuNs() - start_; }

 private:
  uint64_t* const total_;
  const uint64_t start_;
};

class SessionImpl final : public Session {
 public:
  SessionImpl(std::unique_ptr<ImageView> image, pid_t pid)
      : image_(std::move(image)),
        ahead_(image_.get()),
        pid_(pid),
        is_tsc_(image_->header()->tsc_is_clock != 0),
        translator_(image_.get(), &clock_, pid),
        feed_(pid, &translator_, &clock_, [this] { Flush(); }),
        orderer_(&feed_),
        meter_(pid) {}
  ~SessionImpl() override {
    if (alive_) MarkDead(image_->header());
  }

  absl::Status Start(const SessionOptions& options);

  uint64_t Drain() override;
  void Tick(uint64_t now_monotonic_ns) override;
  bool HasWork() const override;
  bool CannotSleep() const override;
  ImageHeader* header() override { return image_->header(); }
  absl::Status Finish(EndReason reason, int64_t detail,
                      uint64_t peak_rss_bytes) override;
  void Salvage() override {
    if (frozen_) return;
    try {
      Flush();
    } catch (const std::bad_alloc&) {  // the file ends before it, then
    }
  }
  void AddWords(const std::string& words) override {
    if (!words.empty() && !words_.empty()) words_ += "; ";
    words_ += words;
  }
  const Summary& summary() const override { return summary_; }
  const std::string& path() const override { return writer_.path(); }
  pid_t pid() const override { return pid_; }
  const std::string& trouble() const override { return writer_.trouble(); }
  LeakCheckMode leak_check() const override { return leak_check_; }
  bool HasRequest() const override;
  pid_t ThreadHere(int32_t tid) override { return feed_.numbers()->Here(tid); }
  void CatchUp(bool ended) override;
  void Describe(ScanRequest* request) override;
  void Freeze(bool frozen) override { frozen_ = frozen; }
  void CountLive(uint64_t* blocks, uint64_t* bytes) const override;
  void CopyLive(uint64_t most, std::vector<InheritedBlock>* blocks) const override;
  uint64_t NowNs() const override {
    return std::max(feed_.last_ns(),
                    clock_.MonotonicToNs(StampClock::Read(is_tsc_).monotonic_ns));
  }
  uint64_t event_count() const override { return feed_.event_count(); }
  uint32_t WriteLeakCheck(const LeakCheck& check) override;

 private:
  struct Suspect {  // the owner of a ring that no longer answers
    int32_t tid = 0;
    uint64_t head = 0;
  };

  uint64_t Round(bool last);
  void AddNewRings();
  void ReapRings();
  void Flush();
  void WriteSamples();
  void ReadStatus();
  void FillLoss(Loss* loss) const;
  void FillSelfReport(SelfReport* self) const;
  void WatchTrust();

  const std::unique_ptr<ImageView> image_;
  AllocateAhead ahead_;
  const pid_t pid_;
  const bool is_tsc_;
  bool alive_ = false;
  bool frozen_ = false;
  LeakCheckMode leak_check_ = LeakCheckMode::kNone;
  uint32_t leak_checks_ = 0;  // written
  StampClock clock_;
  Translator translator_;
  EventFeed feed_;
  std::unique_ptr<SampledModel> sampled_;  // if it is a sampled recording
  Orderer<EventFeed> orderer_;
  StatusMeter meter_;
  TraceWriter writer_;
  RunInfo run_;
  Summary summary_;
  std::string words_;
  std::vector<Suspect> suspects_;  // by ring
  uint64_t last_horizon_ = 0;
  uint64_t peak_rss_bytes_ = 0;
  uint64_t batch_since_ns_ = 0;  // when the open batch was first seen; 0: empty
  uint64_t cpu_ns_ = 0;
  Every rss_due_{kRssEveryNs}, status_due_{kStatusEveryNs}, reap_due_{kReapEveryNs},
      names_due_{kNamesEveryNs}, samples_due_{kSamplesEveryNs},
      calibrate_due_{kCalibrateEveryNs};
};

absl::Status SessionImpl::Start(const SessionOptions& options) {
  const CpuMeter meter(&cpu_ns_);
  const ImageHeader& h = *image_->header();
  clock_.Start(is_tsc_, {h.start_tsc, h.start_monotonic_ns},
               StampClock::Read(is_tsc_));
  leak_check_ = h.leak_check == LeakCheckMode::kFull ||
                        h.leak_check == LeakCheckMode::kExit ||
                        h.leak_check == LeakCheckMode::kForeign
                    ? h.leak_check
                    : LeakCheckMode::kNone;
  run_.sample_interval = h.sample_interval;
  const bool sampled = run_.sample_interval != 0;
  if (h.mismatches != 0) {
    feed_.WatchMismatches(h.forked != 0);
    feed_.watch()->SetUnsure(
        [this](uint32_t stack) { return image_->AreKindsUnsure(stack); });
    if (h.on_full == OnFull::kDrop) feed_.watch()->TrustNoAddress();
  }
  if (sampled) sampled_ = std::make_unique<SampledModel>(run_.sample_interval);
  absl::Status status = writer_.Create(options.path, options.compression_level,
                                       sampled ? kTraceVersion : kUnsampledVersion);
  if (!status.ok()) return status;

  run_.mallogram_version = MALLOGRAM_VERSION;
  FillRunInfo(pid_, &run_);
  // What the process told of itself is surer: it may have ended, or replaced
  // itself, before we could look.
  const std::string executable = image_->ReadString(h.executable_offset);
  const std::string directory = image_->ReadString(h.directory_offset);
  const std::string arguments =
      image_->ReadBytes(h.arguments_offset, h.arguments_bytes);
  if (!executable.empty()) run_.executable = executable;
  if (!directory.empty()) run_.cwd = directory;
  if (!arguments.empty()) run_.argv = SplitArguments(arguments);
  run_.pid = pid_;
  run_.ppid = options.parent >= 0 ? options.parent : h.ppid;
  run_.start_unix_ns = h.start_realtime_ns;
  run_.tsc_hz = clock_.ticks_per_second();
  run_.max_depth = h.max_depth;
  run_.on_full = h.on_full == OnFull::kDrop ? "drop" : "wait";
  run_.allocator = options.allocator;
  run_.parent_trace = options.parent_trace;
  writer_.Write(ChunkType::kRun, EncodeRunInfo(run_));
  writer_.Write(ChunkType::kMarks, EncodeMarks({clock_.start_monotonic_ns(), {}}));
  // Only now: a caller may try again under another name, and the program must not
  // meet a collector that came and died.
  MarkAlive(image_->header());
  alive_ = true;
  return absl::OkStatus();
}

bool SessionImpl::CannotSleep() const {
  return image_->header()->filtered.load(std::memory_order_relaxed) != 0;
}

bool SessionImpl::HasWork() const {
  if (frozen_) return false;
  return image_->ring_count() > orderer_.stream_count() || orderer_.HasWork();
}

void SessionImpl::AddNewRings() {
  const uint32_t count = image_->ring_count();
  for (uint32_t i = orderer_.stream_count(); i < count; ++i) {
    orderer_.AddStream(image_->ring(i), image_->ring_data(i),
                       image_->ring_words(i));
  }
}

uint64_t SessionImpl::Round(bool last) {
  // The clock first, then the heads: see order.h.
  const StampClock::Reading now = StampClock::Read(is_tsc_);
  const uint64_t horizon = now.stamp > kHorizonSlop ? now.stamp - kHorizonSlop : 0;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  AddNewRings();
  ahead_.Advance(translator_.stack_count());
  orderer_.Refresh();
  // Still the only ring after its head was read: no other thread can have recorded
  // anything that comes before what was seen.
  const bool alone = image_->ring_count() == 1;
  if (feed_.watch() != nullptr) WatchTrust();
  feed_.SetWindow(last_horizon_, now.stamp);
  const uint64_t records =
      orderer_.Process(last ? Orderer<EventFeed>::kNoHorizon : horizon, alone);
  // What the next round finds was published after this round's clock.
  last_horizon_ = horizon;
  // Not before: the line bends at `now`, and these records are older.
  if (calibrate_due_.Due(now.monotonic_ns)) clock_.Calibrate(now);
  if (batch_since_ns_ == 0 && feed_.encoder().event_count() != 0) {
    batch_since_ns_ = now.monotonic_ns;
  }
  return records;
}

uint64_t SessionImpl::Drain() {
  if (!HasWork()) return 0;
  const CpuMeter meter(&cpu_ns_);
  return Round(/*last=*/false);
}

void SessionImpl::Tick(uint64_t now_monotonic_ns) {
  if (frozen_) return;
  const CpuMeter meter(&cpu_ns_);
  if (rss_due_.Due(now_monotonic_ns)) {
    const uint64_t rss = meter_.ReadRss();
    if (rss != 0) feed_.SetRss(rss);
    peak_rss_bytes_ = std::max(peak_rss_bytes_, rss);
    feed_.SampleAt(clock_.MonotonicToNs(now_monotonic_ns));
  }
  if (status_due_.Due(now_monotonic_ns)) {
    ReadStatus();
    translator_.SweepModules();
  }
  if (reap_due_.Due(now_monotonic_ns)) ReapRings();
  if (names_due_.Due(now_monotonic_ns)) feed_.RefreshThreadNames();
  if (batch_since_ns_ != 0 && now_monotonic_ns - batch_since_ns_ > kMaxBatchAgeNs) {
    Flush();
  }
  if (samples_due_.Due(now_monotonic_ns)) WriteSamples();
}

// Frees the rings of threads that ended without handing them on (a raw exit system
// call). Between two looks, an interval apart, nothing may have moved: a ring that
// changes hands is for an instant owned and still says its last owner.
void SessionImpl::ReapRings() {
  suspects_.resize(orderer_.stream_count());
  for (uint32_t i = 0; i < orderer_.stream_count(); ++i) {
    RingSlot* const slot = image_->ring(i);
    Suspect& suspect = suspects_[i];
    const Suspect before = suspect;
    suspect = {};
    if (slot->state.load(std::memory_order_acquire) != RingSlot::kOwned) continue;
    const int32_t tid = slot->tid.load(std::memory_order_acquire);
    if (orderer_.stream(i).HasWork() || tid <= 0 ||
        ThreadMayLive(pid_, feed_.numbers()->Here(tid))) {
      continue;
    }
    const uint64_t head = slot->head.load(std::memory_order_acquire);
    if (before.tid != tid || before.head != head) {
      suspect = {tid, head};
      continue;
    }
    uint32_t expected = RingSlot::kOwned;
    slot->state.compare_exchange_strong(expected, RingSlot::kFree,
                                        std::memory_order_acq_rel);
  }
}

// Everything that waits, in the order in which a reader needs it.
void SessionImpl::Flush() {
  batch_since_ns_ = 0;
  const auto write = [this](ChunkType type, const std::string& payload) {
    if (!payload.empty()) writer_.Write(type, payload);
  };
  write(ChunkType::kModules, translator_.TakeModules());
  write(ChunkType::kModuleFiles, translator_.TakeModuleFiles());
  write(ChunkType::kStacks, translator_.TakeStacks());
  write(ChunkType::kThreads, feed_.TakeThreads());
  write(ChunkType::kMarks, feed_.TakeMarks());
  EventEncoder& encoder = feed_.encoder();
  if (encoder.event_count() == 0) return;
  IndexEntry entry;
  entry.first_event = encoder.first_event();
  entry.event_count = encoder.event_count();
  entry.start_ns = encoder.start_ns();
  entry.end_ns = encoder.end_ns();
  const std::string events = encoder.Take();
  if (sampled_ != nullptr) sampled_->Fold(events);
  writer_.Write(ChunkType::kEvents, events, entry);
}

void SessionImpl::WriteSamples() {
  std::string samples = feed_.TakeSamples();
  if (samples.empty()) return;
  if (sampled_ != nullptr) {
    Flush();  // estimates go up to the last batch
    std::vector<Sample> restated = *DecodeSamples(samples);
    sampled_->Restate(&restated);
    samples = EncodeSamples(restated);
  }
  writer_.Write(ChunkType::kSamples, samples);
}

bool SessionImpl::HasRequest() const {
  const ImageHeader& h = *image_->header();
  return h.at_end.state.load(std::memory_order_acquire) == HoldRequest::kAsked ||
         h.at_once.state.load(std::memory_order_acquire) == HoldRequest::kAsked;
}

// Filters that we run under ourselves let a program do what the recorder does.
void SessionImpl::ReadStatus() {
  const ProcessStatus status = meter_.ReadStatus();
  peak_rss_bytes_ = std::max(peak_rss_bytes_, status.peak_rss_bytes);
  static const uint64_t own = StatusMeter(getpid()).ReadStatus().filters;
  if (status.filters > own) {
    image_->header()->filtered.store(1, std::memory_order_relaxed);
  }
}

void SessionImpl::CatchUp(bool ended) {
  const CpuMeter meter(&cpu_ns_);
  // Its memory is still there: the last look at how much it was.
  if (ended) ReadStatus();
  for (int i = 0; i < kMaxLastRounds && HasWork(); ++i) {
    if (Round(ended) == 0 && !ended) return;
  }
}

void SessionImpl::Describe(ScanRequest* request) {
  request->live = &orderer_.live();
  request->model = &feed_.model();
  request->image = image_->header();
  request->image_inode = image_->inode();
  const auto& ignored = feed_.ignored();
  request->ignored.assign(ignored.begin(), ignored.end());
  request->module_id = [this](const LoadedModule& module) {
    return translator_.ModuleId(module, feed_.last_ns());
  };
  request->frames = [this](uint32_t stack, uint64_t* pcs, size_t max) {
    return translator_.Frames(stack, pcs, max);
  };
  request->glibc_heap = run_.allocator.empty();
}

void SessionImpl::CountLive(uint64_t* blocks, uint64_t* bytes) const {
  *blocks = feed_.model().live_blocks();
  *bytes = feed_.model().live_bytes();
}

void SessionImpl::CopyLive(uint64_t most,
                           std::vector<InheritedBlock>* blocks) const {
  const HeapModel& model = feed_.model();
  if (model.live_blocks() > most) return;
  std::vector<uint64_t> address_of_slot(model.slot_count());
  orderer_.live().ForEach([&](uint64_t address, uint32_t slot) {
    if (slot < address_of_slot.size()) address_of_slot[slot] = address;
  });
  blocks->reserve(model.live_blocks());
  model.ForEachLive(
      [&](uint32_t slot, uint32_t, uint64_t size, uint64_t, uint32_t) {
        if (address_of_slot[slot] != 0)
          blocks->push_back({address_of_slot[slot], size});
      });
}

uint32_t SessionImpl::WriteLeakCheck(const LeakCheck& check) {
  Flush();  // the stacks and modules that it names
  writer_.Write(ChunkType::kLeaks, EncodeLeakCheck(check));
  return leak_checks_++;
}

void SessionImpl::FillLoss(Loss* loss) const {
  uint64_t lost = 0, lost_bytes = 0, wait_ticks = 0;
  for (uint32_t i = 0; i < orderer_.stream_count(); ++i) {
    const RingSlot& slot = *image_->ring(i);
    lost += slot.lost_events.load(std::memory_order_relaxed);
    lost_bytes += slot.lost_bytes.load(std::memory_order_relaxed);
    loss->events_waited += slot.waits.load(std::memory_order_relaxed);
    wait_ticks += slot.wait_ticks.load(std::memory_order_relaxed);
  }
  // The rings count every loss; what they had no room to name has no site.
  loss->events_lost = std::max(loss->events_lost, lost);
  loss->bytes_lost = std::max(loss->bytes_lost, lost_bytes);
  loss->events_lost += image_->header()->ringless_events.load();
  loss->bytes_lost += image_->header()->ringless_bytes.load();
  loss->wait_ns = clock_.TicksToNs(wait_ticks);
  loss->order_violations = orderer_.violations();
  loss->truncated_stacks = 0;
  for (const SiteTotals& site : summary_.sites) {
    if (translator_.RootOf(site.stack) != kRootComplete) {
      loss->truncated_stacks += site.calls;
    }
  }
}

void SessionImpl::FillSelfReport(SelfReport* self) const {
  const ImageHeader& h = *image_->header();
  self->events = orderer_.records();
  self->event_file_bytes = writer_.event_bytes();
  self->file_bytes = writer_.file_bytes();
  self->stack_nodes = translator_.stack_count();
  self->sites = summary_.sites.size();
  self->threads = feed_.thread_count();
  for (uint32_t i = 0; i < orderer_.stream_count(); ++i) {
    const RingSlot& slot = *image_->ring(i);
    self->walks += slot.walks.load(std::memory_order_relaxed);
    self->frames_walked += slot.frames_walked.load(std::memory_order_relaxed);
    self->full_walks += slot.full_walks.load(std::memory_order_relaxed);
  }
  self->image_bytes = image_->TouchedBytes();
  self->private_bytes = h.private_bytes.load();
  self->collector_rss_bytes = OwnRssBytes();
  if (h.verify != 0) {
    for (const std::atomic<uint64_t>& count : h.verify_class) {
      self->verify_classes.push_back(count.load());
      self->verify_checked += self->verify_classes.back();
    }
  }
}

// What the library finds out after the session has begun, or events it lost.
void SessionImpl::WatchTrust() {
  const ImageHeader& h = *image_->header();
  if (h.own_malloc != 0 || h.other_allocator != 0 || h.bypass_count.load() != 0 ||
      h.ringless_events.load() != 0) {
    feed_.watch()->TrustNoAddress();
  }
}

absl::Status SessionImpl::Finish(EndReason reason, int64_t detail,
                                 uint64_t peak_rss_bytes) {
  const uint64_t cpu_start = ThreadCpuNs();
  for (int i = 0; i < kMaxLastRounds && (i == 0 || HasWork()); ++i) Round(true);
  const StampClock::Reading now = StampClock::Read(is_tsc_);
  translator_.SweepModules();
  // First, since they name stacks.
  const std::string mismatches = feed_.Mismatches(), pools = feed_.Pools();
  Flush();
  if (!mismatches.empty()) writer_.Write(ChunkType::kMismatches, mismatches);
  if (!pools.empty()) writer_.Write(ChunkType::kPools, pools);
  WriteSamples();
  run_.tsc_hz = clock_.ticks_per_second();
  writer_.Write(ChunkType::kRun, EncodeRunInfo(run_));

  summary_ = feed_.model().Summarize();
  if (sampled_ != nullptr) sampled_->Restate(&summary_);
  Totals& totals = summary_.totals;
  totals.duration_ns =
      std::max(feed_.last_ns(), clock_.MonotonicToNs(now.monotonic_ns));
  totals.peak_rss_bytes = peak_rss_bytes == 0 ? peak_rss_bytes_ : peak_rss_bytes;
  FillLoss(&summary_.loss);
  FillSelfReport(&summary_.self);
  summary_.end = reason;
  summary_.end_detail = detail;
  summary_.detail_text = WordsOf(*image_->header(), orderer_.damaged_streams());
  if (!words_.empty()) {
    absl::StrAppend(&summary_.detail_text, summary_.detail_text.empty() ? "" : "; ",
                    words_);
  }
  summary_.timeline =
      feed_.timeline().WithPeak(totals.peak_time_ns, totals.peak_heap_bytes,
                                totals.duration_ns, totals.live_bytes);
  if (sampled_ != nullptr) sampled_->Restate(&summary_.timeline);
  summary_.self.collector_cpu_ns = cpu_ns_ + (ThreadCpuNs() - cpu_start);
  writer_.Write(ChunkType::kSummary, EncodeSummary(summary_));
  writer_.Close();
  if (!writer_.trouble().empty()) return absl::UnavailableError(writer_.trouble());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Open(
    int image_fd, pid_t pid, const SessionOptions& options) {
  absl::StatusOr<std::unique_ptr<ImageView>> image = ImageView::Map(image_fd);
  close(image_fd);
  if (!image.ok()) return image.status();
  auto session = std::make_unique<SessionImpl>(*std::move(image), pid);
  absl::Status status = session->Start(options);
  if (!status.ok()) return status;
  return session;
}

}  // namespace mallogram
