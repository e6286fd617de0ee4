// The reader on whole, cut, damaged and hostile files. The property that counts:
// whatever the file, there is a clear error, or a result that is either the truth
// or says what is missing.
#include "analyzer/recording/trace_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "preload/trace/chunk_io.h"
#include "tests/analyzer/trace_files.h"

namespace mallogram {
namespace {

absl::StatusOr<Trace> ReadBytes(absl::string_view bytes, bool check = false) {
  ReadOptions options;
  options.check = check;
  options.chunk_stats = check;
  absl::StatusOr<Recording> recording =
      Recording::Open(MemorySource(bytes), "x.mgram");
  if (!recording.ok()) return recording.status();
  return ReadTrace(*recording, options, [](uint64_t, uint64_t) {});
}

std::string AllWarnings(const Trace& trace) {
  std::string text;
  for (const std::string& warning : trace.warnings)
    absl::StrAppend(&text, warning, "\n");
  return text;
}

void ExpectSameTotals(const Summary& got, const Summary& want) {
  EXPECT_EQ(got.totals.allocations, want.totals.allocations);
  EXPECT_EQ(got.totals.frees, want.totals.frees);
  EXPECT_EQ(got.totals.reallocations, want.totals.reallocations);
  EXPECT_EQ(got.totals.bytes_allocated, want.totals.bytes_allocated);
  EXPECT_EQ(got.totals.peak_heap_bytes, want.totals.peak_heap_bytes);
  EXPECT_EQ(got.totals.live_bytes, want.totals.live_bytes);
  EXPECT_EQ(got.totals.temporary, want.totals.temporary);
  ASSERT_EQ(got.sites.size(), want.sites.size());
  for (size_t i = 0; i < got.sites.size(); ++i) {
    EXPECT_EQ(got.sites[i].stack, want.sites[i].stack);
    EXPECT_EQ(got.sites[i].calls, want.sites[i].calls);
    EXPECT_EQ(got.sites[i].peak_bytes, want.sites[i].peak_bytes);
  }
}

// What a user must never see: other figures without a word.
bool Silent(const Trace& trace, const Summary& truth) {
  return trace.warnings.empty() &&
         (trace.summary.totals.allocations != truth.totals.allocations ||
          trace.summary.totals.peak_heap_bytes != truth.totals.peak_heap_bytes ||
          trace.summary.sites.size() != truth.sites.size());
}

TEST(TraceReader, ReadsAWholeTrace) {
  const MadeTrace made = MakeTrace(2000, 4, "/lib/x.so");
  for (const bool check : {false, true}) {
    const absl::StatusOr<Trace> trace = ReadBytes(made.whole, check);
    ASSERT_TRUE(trace.ok()) << trace.status();
    EXPECT_EQ(trace->index, IndexState::kIntact);
    EXPECT_EQ(AllWarnings(*trace), "");
    ExpectSameTotals(trace->summary, made.summary);
    EXPECT_EQ(trace->run.pid, 4711);
    ASSERT_EQ(trace->modules.size(), 1u);
    EXPECT_EQ(trace->FindModule(1)->path, "/lib/x.so");
    EXPECT_EQ(trace->FindModule(2), nullptr);
    EXPECT_EQ(trace->stack_count, 12u);
    EXPECT_EQ(trace->threads.size(), 2u);
    EXPECT_EQ(trace->summary.timeline.size(), 4u);
  }
}

TEST(TraceReader, FoldsTheEventsOfAnUnfinishedTrace) {
  const MadeTrace made = MakeTrace(2000, 4, "/lib/x.so");
  const absl::StatusOr<Trace> trace = ReadBytes(made.unfinished);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->index, IndexState::kFolded);
  ExpectSameTotals(trace->summary, made.summary);
  EXPECT_TRUE(absl::StrContains(AllWarnings(*trace), "no footer"))
      << AllWarnings(*trace);
  EXPECT_EQ(trace->summary.timeline.size(), 4u);
  EXPECT_EQ(trace->summary.end, EndReason::kUnknown);
}

TEST(TraceReader, CutAtEveryByte) {
  const MadeTrace made = MakeTrace(200, 4, "/lib/x.so");
  for (size_t length = 0; length < made.whole.size(); ++length) {
    const absl::StatusOr<Trace> trace = ReadBytes(made.whole.substr(0, length));
    if (length < sizeof(FileHeader)) {
      ASSERT_FALSE(trace.ok()) << length;
      EXPECT_TRUE(absl::StartsWith(trace.status().message(), "x.mgram: "));
      continue;
    }
    ASSERT_TRUE(trace.ok()) << length << trace.status();
    // Never less than what the whole chunks before the cut hold.
    uint64_t expected = 0;
    for (size_t i = 0; i + 1 < made.chunk_offsets.size(); ++i) {
      if (made.chunk_offsets[i + 1] <= length) expected = made.events_after[i];
    }
    ASSERT_EQ(trace->summary.totals.allocations, expected) << length;
    ASSERT_FALSE(trace->warnings.empty()) << length;
  }
}

TEST(TraceReader, EveryFlipIsHarmlessOrTold) {
  const MadeTrace made = MakeTrace(200, 4, "/lib/x.so");
  for (size_t at = 0; at < made.whole.size(); ++at) {
    for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string bytes = made.whole;
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      const absl::StatusOr<Trace> quick = ReadBytes(bytes);
      if (quick.ok()) {
        ASSERT_FALSE(Silent(*quick, made.summary)) << at << " " << mask;
      } else {
        ASSERT_FALSE(quick.status().message().empty());
      }
      // A full check notices every single flip.
      const absl::StatusOr<Trace> checked = ReadBytes(bytes, true);
      ASSERT_TRUE(!checked.ok() || !checked->warnings.empty()) << at << " " << mask;
    }
  }
}

TEST(TraceReader, FlipsInAnUnfinishedTrace) {
  const MadeTrace made = MakeTrace(200, 4, "/lib/x.so");
  for (size_t at = 0; at < made.unfinished.size(); ++at) {
    for (const int mask : {1, 128, 255}) {
      std::string bytes = made.unfinished;
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      const absl::StatusOr<Trace> trace = ReadBytes(bytes);
      if (!trace.ok()) continue;
      ASSERT_FALSE(trace->warnings.empty());
      if (trace->summary.totals.allocations != made.summary.totals.allocations) {
        // More than the usual word about the footer.
        ASSERT_TRUE(absl::StrContains(AllWarnings(*trace), "damaged"))
            << at << " " << mask << AllWarnings(*trace);
      }
    }
  }
}

TEST(TraceReader, DamagedEventsStopTheFoldWithATime) {
  const MadeTrace made = MakeTrace(2000, 4, "/lib/x.so");
  std::string bytes = made.unfinished;
  // Chunks 4, 6, 8, 10 are events; damage the third.
  bytes[made.chunk_offsets[8] + sizeof(ChunkHeader) + 20] ^= 0x55;
  const absl::StatusOr<Trace> trace = ReadBytes(bytes);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->summary.totals.allocations, made.events_after[6]);
  EXPECT_TRUE(absl::StrContains(AllWarnings(*trace), "1 of 12 chunks is damaged"))
      << AllWarnings(*trace);
  EXPECT_TRUE(absl::StrContains(AllWarnings(*trace), "the events after t=0.00"))
      << AllWarnings(*trace);
}

// Without the batch, slots mean other blocks: later figures would be wrong.
TEST(TraceReader, AMissingBatchStopsTheFold) {
  const MadeTrace made = MakeTrace(2000, 4, "/lib/x.so");
  for (const size_t missing : {4, 6, 8}) {
    std::string bytes = made.unfinished;
    bytes.erase(made.chunk_offsets[missing],
                made.chunk_offsets[missing + 1] - made.chunk_offsets[missing]);
    const absl::StatusOr<Trace> trace = ReadBytes(bytes);
    ASSERT_TRUE(trace.ok()) << trace.status();
    EXPECT_EQ(trace->summary.totals.allocations, made.events_after[missing - 1]);
    EXPECT_TRUE(absl::StrContains(AllWarnings(*trace), "the events after t=0.00"))
        << AllWarnings(*trace);
  }
}

TEST(TraceReader, DamagedLengthIsSkippedToTheNextChunk) {
  const MadeTrace made = MakeTrace(2000, 4, "/lib/x.so");
  for (const int byte : {12, 13, 14, 15}) {  // stored_bytes
    std::string bytes = made.unfinished;
    bytes[made.chunk_offsets[5] + static_cast<size_t>(byte)] ^= 0x11;  // samples
    const absl::StatusOr<Trace> trace = ReadBytes(bytes);
    ASSERT_TRUE(trace.ok()) << trace.status();
    EXPECT_EQ(trace->summary.totals.allocations, made.summary.totals.allocations)
        << byte << AllWarnings(*trace);
    EXPECT_TRUE(absl::StrContains(AllWarnings(*trace), "damaged"));
  }
}

TEST(TraceReader, TheFooterSurvivesADamagedIndex) {
  const MadeTrace made = MakeTrace(2000, 4, "/lib/x.so");
  std::string bytes = made.whole;
  bytes[bytes.size() - 3] ^= 0x55;  // trailer
  const absl::StatusOr<Trace> trace = ReadBytes(bytes);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->index, IndexState::kRebuilt);
  ExpectSameTotals(trace->summary, made.summary);
  EXPECT_EQ(trace->summary.end, EndReason::kExited);
}

TEST(TraceReader, LostStacksAreCounted) {
  const MadeTrace made = MakeTrace(2000, 4, "/lib/x.so");
  std::string bytes = made.whole;
  bytes[made.chunk_offsets[2] + sizeof(ChunkHeader) + 3] ^= 0x55;
  const absl::StatusOr<Trace> trace = ReadBytes(bytes);
  ASSERT_TRUE(trace.ok()) << trace.status();
  ExpectSameTotals(trace->summary, made.summary);
  EXPECT_TRUE(absl::StrContains(AllWarnings(*trace),
                                "the call stacks of 12 of 12 call sites are lost"))
      << AllWarnings(*trace);
}

TEST(TraceReader, AMagicEveryFourBytesDoesNotHang) {
  std::string bytes = EncodeFileHeader();
  ChunkHeader header = {};
  header.magic = kChunkMagic;
  header.type = ChunkType::kEvents;
  header.stored_bytes = 3 << 20;
  header.raw_bytes = header.stored_bytes;
  const std::string one(reinterpret_cast<const char*>(&header), sizeof header);
  while (bytes.size() < (4 << 20)) bytes += one;
  const absl::StatusOr<Trace> trace = ReadBytes(bytes);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->summary.totals.allocations, 0u);
}

TEST(TraceReader, WildIdsCostNoMemory) {
  TraceFileBuilder file;
  file.Add(ChunkType::kStacks, EncodeStacks(kMaxStackIds - 10, {{0, 1, 5}}));
  file.Add(ChunkType::kModules,
           EncodeModules({{0xfffffff0, "x", "", 0, 0, 0, 0, 0}}));
  file.Add(ChunkType::kThreads, EncodeThreads({{kMaxThreads - 1, 1, "t", 0}}));
  const absl::StatusOr<Trace> trace = ReadBytes(file.bytes());
  ASSERT_TRUE(trace.ok()) << trace.status();
  Stack stack;
  EXPECT_TRUE(trace->FindStack(kMaxStackIds - 10, &stack));
  EXPECT_FALSE(trace->FindStack(kMaxStackIds - 9, &stack));
  EXPECT_TRUE(trace->modules.empty());
  EXPECT_EQ(trace->threads.size(), 1u);
}

TEST(TraceReader, RefusesWhatIsNoTrace) {
  std::string newer = MakeTrace(100, 1, "x").whole;
  FileHeader header;
  std::memcpy(&header, newer.data(), sizeof header);
  header.version = kTraceVersion + 1;
  header.checksum = XXH3_64bits(&header, offsetof(FileHeader, checksum));
  std::memcpy(newer.data(), &header, sizeof header);
  EXPECT_TRUE(absl::StrContains(ReadBytes(newer).status().message(),
                                "use a newer mallogram"));
  EXPECT_FALSE(ReadBytes("").ok());
  EXPECT_FALSE(ReadBytes("hello, I am a text").ok());
}

std::string Scratch(const char* name) {
  const char* dir = getenv("TMPDIR");
  return absl::StrCat(dir == nullptr ? "/tmp" : dir, "/mallogram-reader-test.",
                      getpid(), ".", name);
}

// A 100 GB trace opens in no time and no memory: holes stand for events.
TEST(TraceReader, OpensAHundredGigabytes) {
  const MadeTrace made = MakeTrace(200, 4, "/lib/x.so");
  constexpr uint64_t kBig = 100'000'000'000;
  const std::string path = Scratch("big");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  std::vector<IndexEntry> index;
  uint64_t offset = 0;
  const auto write_at = [&](const std::string& bytes) {
    ASSERT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
    offset += bytes.size();
  };
  write_at(made.whole.substr(0, made.chunk_offsets[4]));
  for (size_t i = 0; i < 4; ++i) {
    static constexpr ChunkType kTypes[] = {ChunkType::kRun, ChunkType::kModules,
                                           ChunkType::kStacks, ChunkType::kThreads};
    index.push_back({kTypes[i], made.chunk_offsets[i], 0, 0, 0, 0});
  }
  ChunkHeader header = {};
  header.magic = kChunkMagic;
  header.type = ChunkType::kEvents;
  header.stored_bytes = header.raw_bytes = 64 << 20;
  while (offset < kBig) {
    index.push_back({ChunkType::kEvents, offset, 0, 1, 0, 0});
    write_at(std::string(reinterpret_cast<const char*>(&header), sizeof header));
    offset += header.stored_bytes;
  }
  index.push_back({ChunkType::kSummary, offset, 0, 0, 0, 0});
  write_at(EncodeChunk(ChunkType::kSummary, 0, EncodeSummary(made.summary)));
  const uint64_t index_offset = offset;
  write_at(EncodeChunk(ChunkType::kIndex, 0, EncodeIndex(index)));
  write_at(EncodeTrailer(index_offset));
  close(fd);

  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  ReadOptions options;
  options.chunk_stats = true;
  const absl::StatusOr<Trace> trace =
      ReadTrace(path, options, [](uint64_t, uint64_t) {});
  getrusage(RUSAGE_SELF, &after);
  unlink(path.c_str());
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(AllWarnings(*trace), "");
  ExpectSameTotals(trace->summary, made.summary);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 50'000);  // KiB
}

TEST(TraceReader, FilesThatAreNone) {
  const auto message = [](const std::string& path) {
    const auto trace = ReadTrace(path, ReadOptions(), [](uint64_t, uint64_t) {});
    return trace.ok() ? std::string() : std::string(trace.status().message());
  };
  EXPECT_TRUE(absl::StrContains(message("/nonexistent"), "cannot be opened"));
  EXPECT_TRUE(absl::StrContains(message("/tmp"), "is a directory"));
  EXPECT_TRUE(absl::StrContains(message("/dev/null"), "not a regular file"));
  const std::string fifo = Scratch("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_TRUE(absl::StrContains(message(fifo), "not a regular file"));
  unlink(fifo.c_str());
}

}  // namespace
}  // namespace mallogram
