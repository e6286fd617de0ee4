#include "tests/analyzer/trace_files.h"

#include <algorithm>
#include <random>

#include "preload/trace/chunk_io.h"

namespace mallogram {

TraceFileBuilder::TraceFileBuilder() : bytes_(EncodeFileHeader()) {}

void TraceFileBuilder::Add(ChunkType type, const std::string& payload) {
  IndexEntry entry;
  entry.type = type;
  entry.offset = bytes_.size();
  index_.push_back(entry);
  bytes_ += EncodeChunk(type, sequence_++, payload);
}

void TraceFileBuilder::AddEvents(EventEncoder* encoder) {
  if (encoder->event_count() == 0) return;
  IndexEntry entry;
  entry.type = ChunkType::kEvents;
  entry.offset = bytes_.size();
  entry.first_event = encoder->first_event();
  entry.event_count = encoder->event_count();
  entry.start_ns = encoder->start_ns();
  entry.end_ns = encoder->end_ns();
  index_.push_back(entry);
  bytes_ += EncodeChunk(ChunkType::kEvents, sequence_++, encoder->Take());
}

std::string TraceFileBuilder::Finish(const Summary& summary) {
  Add(ChunkType::kSummary, EncodeSummary(summary));
  const uint64_t index_offset = bytes_.size();
  bytes_ += EncodeChunk(ChunkType::kIndex, sequence_++, EncodeIndex(index_));
  return bytes_ + EncodeTrailer(index_offset);
}

namespace {

RunInfo MakeRun(int64_t pid) {
  RunInfo run;
  run.mallogram_version = "0.1.0";
  run.host = "testhost";
  run.os = "Linux 6.1 x86_64";
  run.cpu = "Some CPU";
  run.executable = "/usr/bin/made";
  run.argv = {"made", "--with", "two words"};
  run.cwd = "/home/somebody";
  run.pid = pid;
  run.ppid = 1;
  run.start_unix_ns = 1'700'000'000'000'000'000;
  run.tsc_hz = 2'000'000'000;
  run.on_full = "wait";
  return run;
}

// A random but repeatable program: phases that grow and shrink.
class Program {
 public:
  Program(HeapModel* heap, EventEncoder* encoder, uint32_t stacks)
      : heap_(heap), encoder_(encoder), stacks_(stacks) {}

  void Step(uint32_t i, uint32_t total) {
    Event event;
    event.time_ns = time_ns_ += 900 + random_() % 200;
    event.thread = random_() % 8 == 0 ? 1 : 0;
    const bool grow = random_() % 100 < (i < total / 2 ? 62u : 42u);
    if (live_.empty() || grow) {
      event.kind = EventKind::kAlloc;
      event.stack = kFirstStackId + random_() % stacks_;
      event.size = random_() % (random_() % 50 == 0 ? 200'000 : 300);
      live_.push_back(
          heap_->Allocate(event.thread, event.stack, event.size, event.time_ns));
    } else {
      // Often the last one: temporary.
      const size_t which =
          random_() % 3 == 0 ? live_.size() - 1 : random_() % live_.size();
      event.slot = live_[which];
      if (random_() % 10 == 0) {
        event.kind = EventKind::kMove;
        event.stack = kFirstStackId + random_() % stacks_;
        event.size = random_() % 1000;
        live_[which] = heap_->Move(event.thread, event.slot, event.stack,
                                   event.size, event.time_ns);
      } else {
        event.kind = EventKind::kFree;
        heap_->Free(event.thread, event.slot, event.time_ns);
        live_[which] = live_.back();
        live_.pop_back();
      }
    }
    encoder_->Add(event);
  }
  uint64_t time_ns() const { return time_ns_; }

 private:
  HeapModel* const heap_;
  EventEncoder* const encoder_;
  const uint32_t stacks_;
  std::mt19937 random_{42};
  std::vector<uint32_t> live_;
  uint64_t time_ns_ = 0;
};

}  // namespace

MadeTrace MakeTrace(uint32_t events, uint32_t chunks,
                    const std::string& module_path, int64_t pid) {
  MadeTrace made;
  TraceFileBuilder file;
  const auto note = [&](uint64_t allocations) {
    made.events_after.push_back(allocations);
  };
  const auto add = [&](ChunkType type, const std::string& payload) {
    made.chunk_offsets.push_back(file.bytes().size());
    file.Add(type, payload);
    note(made.events_after.empty() ? 0 : made.events_after.back());
  };
  add(ChunkType::kRun, EncodeRunInfo(MakeRun(pid)));
  Module module{1, module_path, "\x12\x34\x56\x78", 0x400000, 0x400000, 0x500000, 1,
                0};
  add(ChunkType::kModules, EncodeModules({module}));
  // A chain of callers, and a few leaves on each: 4 to 4 + 12.
  std::vector<Stack> stacks;
  for (uint32_t i = 0; i < 12; ++i) {
    stacks.push_back(
        {i == 0 ? 0 : kFirstStackId + i / 2, i == 11 ? 0u : 1u, 0x1000 + 0x10 * i});
  }
  add(ChunkType::kStacks, EncodeStacks(kFirstStackId, stacks));
  add(ChunkType::kThreads,
      EncodeThreads({{0, pid, "made", 0}, {1, pid + 1, "worker", 1000}}));

  HeapModel heap;
  EventEncoder encoder;
  Program program(&heap, &encoder, static_cast<uint32_t>(stacks.size()));
  std::vector<Sample> samples;
  for (uint32_t i = 0; i < events; ++i) {
    program.Step(i, events);
    if ((i + 1) % (events / chunks) != 0 && i + 1 != events) continue;
    made.chunk_offsets.push_back(file.bytes().size());
    file.AddEvents(&encoder);
    note(heap.Summarize().totals.allocations);
    const Sample sample = {program.time_ns(), heap.live_bytes(),
                           heap.TakeRecentMax(), heap.live_bytes() + (2 << 20)};
    samples.push_back(sample);
    add(ChunkType::kSamples, EncodeSamples({sample}));
  }
  made.unfinished = file.bytes();

  made.summary = heap.Summarize();
  made.summary.end = EndReason::kExited;
  made.summary.end_detail = 0;
  made.summary.timeline = samples;
  made.summary.totals.peak_rss_bytes =
      made.summary.totals.peak_heap_bytes + (2 << 20);
  made.summary.loss.events_waited = 3;
  made.summary.loss.wait_ns = 40'000;
  SelfReport& self = made.summary.self;
  self.events = events;
  self.file_bytes = self.event_file_bytes = file.bytes().size();
  self.stack_nodes = stacks.size();
  self.threads = 2;
  self.walks = made.summary.totals.allocations;
  self.frames_walked = 2 * self.walks;
  self.image_bytes = 1 << 20;
  self.private_bytes = 4096;
  self.collector_cpu_ns = 1'000'000;
  self.collector_rss_bytes = 8 << 20;
  made.chunk_offsets.push_back(file.bytes().size());
  note(made.events_after.back());
  made.whole = file.Finish(made.summary);
  return made;
}

}  // namespace mallogram
