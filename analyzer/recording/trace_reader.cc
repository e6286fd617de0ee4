#include "analyzer/recording/trace_reader.h"

#include <signal.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/recording/fetch_ahead.h"
#include "analyzer/recording/selected_blocks.h"
#include "preload/trace/heap_model.h"
#include "preload/trace/sampled_model.h"

namespace mallogram {
namespace {

// No process has more modules; ids beyond are damage that a checksum missed.
constexpr uint32_t kMaxModuleId = 1u << 22;

// Reads what is needed, in file order. One use.
class Reader {
 public:
  Reader(Recording& recording, const ReadOptions& options, ProgressFn progress)
      : recording_(recording),
        source_(recording.source()),
        options_(options),
        progress_(progress) {}

  absl::StatusOr<Trace> Read();

 private:
  absl::Status FindChunks();
  absl::Status ReadChunks();
  absl::Status FoldEvents();
  absl::Status CheckEvents();
  absl::Status Note(const ChunkRef& chunk, const absl::Status& status);
  absl::Status Decode(const ChunkRef& chunk, const std::string& payload);
  void Rebuild();
  void Settle();
  void CountChunks();
  void Warn(std::string text) { trace_.warnings.push_back(std::move(text)); }

  Recording& recording_;
  ByteSource& source_;
  const ReadOptions options_;
  const ProgressFn progress_;
  const ChunkDirectory* directory_ = nullptr;
  Trace trace_;
  std::map<uint32_t, Module> modules_;
  std::vector<ModuleFile> module_files_;
  std::map<uint32_t, Thread> threads_;
  std::vector<Sample> samples_;
  bool have_run_ = false, have_summary_ = false;
  uint64_t damaged_ = 0, first_damaged_ = 0;

  // Folding. Once a batch is missing, slots have no meaning any more.
  HeapModel heap_;
  std::unique_ptr<SampledModel> sampled_;  // if it is a sampled recording
  bool heap_broken_ = false;
  uint64_t broken_at_ = 0;  // the chunk
  uint64_t events_ = 0, event_time_ns_ = 0;
};

absl::Status Reader::FindChunks() {
  const bool everything = options_.chunk_stats || options_.check;
  absl::StatusOr<const ChunkDirectory*> found =
      recording_.Directory(everything ? Chunks::kAll : Chunks::kFacts, progress_);
  if (!found.ok()) return found.status();
  if ((*found)->from_index) {
    const auto& chunks = (*found)->chunks;
    const auto summary =
        std::find_if(chunks.begin(), chunks.end(), [](const ChunkRef& chunk) {
          return chunk.header.type == ChunkType::kSummary;
        });
    // A damaged summary is made good from the events, which the partial
    // directory may not have.
    if (summary == chunks.end() || !ReadChunk(source_, *summary).ok()) {
      found = recording_.Walk(progress_);
      if (!found.ok()) return found.status();
    }
  }
  directory_ = *found;
  return absl::OkStatus();
}

absl::Status Reader::Decode(const ChunkRef& chunk, const std::string& payload) {
  switch (chunk.header.type) {
    case ChunkType::kRun: {
      absl::StatusOr<RunInfo> run = DecodeRunInfo(payload);
      if (!run.ok()) return run.status();
      trace_.run = *std::move(run);
      have_run_ = true;
      if (sampled_ == nullptr && trace_.run.sample_interval != 0) {
        sampled_ = std::make_unique<SampledModel>(trace_.run.sample_interval);
      }
      return absl::OkStatus();
    }
    case ChunkType::kModules: {
      absl::StatusOr<std::vector<Module>> modules = DecodeModules(payload);
      if (!modules.ok()) return modules.status();
      for (Module& module : *modules) {
        if (module.id == 0 || module.id > kMaxModuleId) continue;
        modules_[module.id] = std::move(module);
      }
      return absl::OkStatus();
    }
    case ChunkType::kModuleFiles: {
      absl::StatusOr<std::vector<ModuleFile>> files = DecodeModuleFiles(payload);
      if (!files.ok()) return files.status();
      std::move(files->begin(), files->end(), std::back_inserter(module_files_));
      return absl::OkStatus();
    }
    case ChunkType::kStacks: {
      uint32_t id = 0;
      absl::StatusOr<std::vector<Stack>> stacks = DecodeStacks(payload, &id);
      if (!stacks.ok()) return stacks.status();
      for (const Stack& stack : *stacks) trace_.stacks[id++] = stack;
      trace_.stack_count += stacks->size();
      return absl::OkStatus();
    }
    case ChunkType::kThreads: {
      absl::StatusOr<std::vector<Thread>> threads = DecodeThreads(payload);
      if (!threads.ok()) return threads.status();
      for (Thread& thread : *threads) threads_[thread.index] = std::move(thread);
      return absl::OkStatus();
    }
    case ChunkType::kSamples: {
      absl::StatusOr<std::vector<Sample>> samples = DecodeSamples(payload);
      if (!samples.ok()) return samples.status();
      samples_.insert(samples_.end(), samples->begin(), samples->end());
      return absl::OkStatus();
    }
    case ChunkType::kSummary: {
      absl::StatusOr<Summary> summary = DecodeSummary(payload);
      if (!summary.ok()) return summary.status();
      trace_.summary = *std::move(summary);
      have_summary_ = true;
      return absl::OkStatus();
    }
    case ChunkType::kLeaks: {
      absl::StatusOr<LeakCheck> check = DecodeLeakCheck(payload);
      if (!check.ok()) return check.status();
      trace_.leak_checks.push_back(*std::move(check));
      return absl::OkStatus();
    }
    case ChunkType::kMismatches: {
      absl::StatusOr<Mismatches> mismatches = DecodeMismatches(payload);
      if (!mismatches.ok()) return mismatches.status();
      trace_.mismatches = *std::move(mismatches);
      trace_.has_mismatches = true;
      return absl::OkStatus();
    }
    case ChunkType::kPools: {
      absl::StatusOr<std::vector<Pool>> pools = DecodePools(payload);
      if (!pools.ok()) return pools.status();
      trace_.pools = *std::move(pools);
      return absl::OkStatus();
    }
    case ChunkType::kMarks: {
      absl::StatusOr<Marks> marks = DecodeMarks(payload);
      if (!marks.ok()) return marks.status();
      std::move(marks->marks.begin(), marks->marks.end(),
                std::back_inserter(trace_.marks));
      return absl::OkStatus();
    }
    case ChunkType::kNames: {
      absl::StatusOr<NamesChunk> names = DecodeNames(payload);
      if (!names.ok()) return names.status();
      trace_.names.Add(*std::move(names));
      return absl::OkStatus();
    }
    case ChunkType::kEvents:
    case ChunkType::kIndex:
      break;
  }
  return absl::OkStatus();  // of a later version: skipped
}

// Damage is counted, not an error.
absl::Status Reader::Note(const ChunkRef& chunk, const absl::Status& status) {
  if (status.ok() || status.code() == absl::StatusCode::kUnavailable) return status;
  if (damaged_++ == 0) first_damaged_ = chunk.offset;
  return absl::OkStatus();
}

// Everything but the events.
absl::Status Reader::ReadChunks() {
  for (const ChunkRef& chunk : directory_->chunks) {
    if (chunk.header.type == ChunkType::kEvents) continue;
    progress_(chunk.offset, source_.size());
    absl::StatusOr<std::string> payload = ReadChunk(source_, chunk);
    const absl::Status status =
        Note(chunk, payload.ok() ? Decode(chunk, *payload) : payload.status());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Reader::FoldEvents() {
  EventRange<FetchAhead> events = recording_.Events(progress_, FetchAhead{heap_});
  for (const Event& event : events) {
    if (!heap_.Apply(event)) {
      events.Refuse();
      break;
    }
    if (sampled_ != nullptr) sampled_->Apply(event);
    ++events_;
    event_time_ns_ = event.time_ns;
  }
  broken_at_ = events.offset();
  heap_broken_ = !events.status().ok();
  if (events.status().code() == absl::StatusCode::kFailedPrecondition)
    return absl::OkStatus();
  return Note({broken_at_, {}}, events.status());
}

// Events that are not folded: every checksum.
absl::Status Reader::CheckEvents() {
  for (const ChunkRef& chunk : directory_->chunks) {
    if (chunk.header.type != ChunkType::kEvents) continue;
    if (!have_summary_ && (!heap_broken_ || chunk.offset <= broken_at_)) continue;
    progress_(chunk.offset, source_.size());
    const absl::Status status = Note(chunk, ReadChunk(source_, chunk).status());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// The summary from the events; what only the collector knew stays zero.
void Reader::Rebuild() {
  trace_.index = IndexState::kFolded;
  trace_.summary = heap_.Summarize();
  if (sampled_ != nullptr) sampled_->Restate(&trace_.summary);
  Summary& summary = trace_.summary;
  summary.self.events = events_;
  summary.self.stack_nodes = trace_.stack_count;
  summary.self.threads = threads_.size();
  summary.self.file_bytes = source_.size();
  for (const Sample& sample : samples_) {
    summary.totals.peak_rss_bytes =
        std::max(summary.totals.peak_rss_bytes, sample.rss_bytes);
  }
  for (const ChunkRef& chunk : directory_->chunks) {
    if (chunk.header.type == ChunkType::kEvents) {
      summary.self.event_file_bytes += chunk.header.stored_bytes;
    }
  }
}

// True if the traced process runs on this machine now: pids are reused, so the
// program must be the same too.
bool StillRuns(const RunInfo& run) {
  struct utsname names;
  if (uname(&names) != 0 || run.host != names.nodename || run.pid <= 1)
    return false;
  if (kill(static_cast<pid_t>(run.pid), 0) != 0 && errno != EPERM) return false;
  char path[4096];
  const ssize_t length =
      readlink(absl::StrCat("/proc/", run.pid, "/exe").c_str(), path, sizeof path);
  return length > 0 && absl::string_view(path, static_cast<size_t>(length)) ==
                           absl::string_view(run.executable);
}

// Puts the parts together and says what is missing.
void Reader::Settle() {
  for (const ModuleFile& file : module_files_) {
    const auto module = modules_.find(file.module);
    if (module == modules_.end()) continue;
    module->second.file_bytes = file.bytes;
    module->second.modified_ns = file.modified_ns;
  }
  for (auto& [id, module] : modules_) trace_.modules.push_back(std::move(module));
  for (auto& [index, thread] : threads_)
    trace_.threads.push_back(std::move(thread));
  Summary& summary = trace_.summary;
  summary.sizes.resize(kSizeBuckets);
  if (summary.timeline.empty()) {
    std::sort(
        samples_.begin(), samples_.end(),
        [](const Sample& a, const Sample& b) { return a.time_ns < b.time_ns; });
    summary.timeline = std::move(samples_);
  }

  if (trace_.index == IndexState::kFolded) {
    trace_.still_recording = have_run_ && StillRuns(trace_.run);
    Warn(absl::StrCat("no footer: the recording ",
                      trace_.still_recording
                          ? "is still going on"
                          : "was interrupted, or the file was cut",
                      "; the totals were computed again from ", events_,
                      " events, and how the "
                      "program ended and what the recording cost is not known"));
  } else if (trace_.index == IndexState::kRebuilt) {
    Warn(
        "the footer is damaged, but the summary is whole: the totals are complete");
  }
  const uint64_t lost = damaged_ + directory_->lost_stretches;
  summary.loss.damaged_chunks = lost;
  if (lost != 0) {
    const uint64_t first = directory_->lost_stretches == 0 ? first_damaged_
                           : damaged_ == 0
                               ? directory_->first_lost
                               : std::min(first_damaged_, directory_->first_lost);
    const uint64_t known =
        std::max<uint64_t>(directory_->index_chunks,
                           directory_->chunks.size() + directory_->lost_stretches);
    Warn(absl::StrCat(
        lost, " of ", known, " chunks ", lost == 1 ? "is" : "are",
        " damaged, the first at byte ", first,
        have_summary_ ? "; the totals are those of the footer and complete" : ""));
  }
  if (heap_broken_ && trace_.index == IndexState::kFolded) {
    Warn(absl::StrFormat(
        "the events after t=%.3f s cannot be read: all figures stop "
        "there",
        static_cast<double>(event_time_ns_) / 1e9));
  }
  if (!have_run_) Warn("the facts of the process (command, pid, host) are lost");
  uint64_t nameless = 0;
  Stack stack;
  for (const SiteTotals& site : summary.sites) {
    if (site.stack >= kFirstStackId && !trace_.FindStack(site.stack, &stack)) {
      ++nameless;
    }
  }
  if (nameless != 0) {
    Warn(absl::StrCat("the call stacks of ", nameless, " of ", summary.sites.size(),
                      " call sites are lost"));
  }
}

void Reader::CountChunks() {
  std::map<ChunkType, ChunkStats> stats;
  for (const ChunkRef& chunk : directory_->chunks) {
    ChunkStats& entry = stats[chunk.header.type];
    entry.type = chunk.header.type;
    ++entry.count;
    entry.stored_bytes += chunk.header.stored_bytes + sizeof(ChunkHeader);
    entry.raw_bytes += chunk.header.raw_bytes;
  }
  for (const auto& [type, entry] : stats) trace_.chunks.push_back(entry);
}

absl::StatusOr<Trace> Reader::Read() {
  trace_.path = recording_.path();
  trace_.file_bytes = source_.size();
  absl::Status status = FindChunks();
  if (status.ok()) status = ReadChunks();
  if (status.ok() && !have_summary_) status = FoldEvents();
  if (status.ok() && options_.check) status = CheckEvents();
  if (!status.ok()) return status;
  trace_.index =
      directory_->from_index ? IndexState::kIntact : IndexState::kRebuilt;
  if (!have_summary_) Rebuild();
  Settle();
  if (options_.chunk_stats) CountChunks();
  if (options_.blocks.active()) {
    status = KeepSelected(recording_, options_.blocks, &trace_, progress_);
    if (!status.ok()) return status;
  }
  return std::move(trace_);
}

}  // namespace

absl::StatusOr<Trace> ReadTrace(Recording& recording, const ReadOptions& options,
                                ProgressFn progress) {
  return Reader(recording, options, progress).Read();
}

absl::StatusOr<Trace> ReadTrace(absl::string_view path, const ReadOptions& options,
                                ProgressFn progress) {
  absl::StatusOr<Recording> recording = Recording::Open(path);
  if (!recording.ok()) return recording.status();
  return ReadTrace(*recording, options, progress);
}

}  // namespace mallogram
