// The reader, the report and its renderers on arbitrary input. With a fuzzing
// engine (tests/analyzer/recording/fuzz.sh) or, as trace_reader_replay, with files:
//
//   trace_reader_replay --seeds DIR    writes the corpus to start from
//   trace_reader_replay FILE…          runs each once
//
// Checksums would stop every mutation at the door, so there are two kinds of
// input, told apart by the first byte: 'R' and a file as it is, or 'C' and chunks
// (type, two bytes of length, payload), which are framed here; type 9 stands for
// an index of what went before, and the trailer.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "analyzer/recording/trace_reader.h"
#include "analyzer/report/analyses.h"
#include "analyzer/report/render.h"
#include "analyzer/report/report_builder.h"
#include "preload/trace/chunk_io.h"
#include "tests/analyzer/trace_files.h"

namespace mallogram {
namespace {

constexpr uint8_t kFooter = 9;

std::string FrameChunks(absl::string_view input) {
  std::string file = EncodeFileHeader();
  std::vector<IndexEntry> index;
  while (input.size() >= 3) {
    const uint8_t type = static_cast<uint8_t>(input[0]);
    const size_t length = static_cast<uint8_t>(input[1]) |
                          static_cast<size_t>(static_cast<uint8_t>(input[2])) << 8;
    const absl::string_view payload = input.substr(3, length);
    input.remove_prefix(3 + payload.size());
    const uint64_t offset = file.size();
    const uint32_t sequence = static_cast<uint32_t>(index.size());
    if (type == kFooter) {
      file += EncodeChunk(ChunkType::kIndex, sequence, EncodeIndex(index));
      return file + EncodeTrailer(offset);
    }
    IndexEntry entry;
    entry.type = static_cast<ChunkType>(type);
    entry.offset = offset;
    index.push_back(entry);
    file += EncodeChunk(entry.type, sequence,
                        std::string_view(payload.data(), payload.size()));
  }
  return file;
}

void Require(bool truth) {
  if (!truth) abort();
}

void ReportOn(Trace trace) {
  // No file of this machine has a part in it.
  for (Module& module : trace.modules) module.path = absl::StrCat("[", module.path);
  for (const bool by_name : {false, true}) {
    StackBook book(by_name ? SameLocation::kByText : SameLocation::kByAddress);
    ReportBuilder builder(&book);
    builder.Add(trace, [](uint64_t, uint64_t) {});
    if (by_name) builder.Add(trace, [](uint64_t, uint64_t) {});
    const Report report = builder.Finish();
    TextOptions options;
    TextInput input{report, book, {}, {}, {}, EstimateCost(report)};
    input.curve = Resample(report.timeline, report.totals.duration_ns, 80);
    for (const Measure by : {Measure::kPeak, Measure::kTemporary}) {
      options.by = by;
      options.tree = !options.tree;
      options.style.utf8 = by_name;
      input.top = FindTopSites(report, book, by, SiteIdentity::kLine, 5, 0, 8);
      input.tree = BuildCallTree(report, book, by, 0.01, 80);
      Require(!RenderReport(input, options).empty());
    }
    size_t bytes = 0;
    RenderReportJson(report, book, input.cost, Measure::kPeak, 20,
                     [&bytes](absl::string_view piece) { bytes += piece.size(); });
    Require(bytes != 0);
  }
  Require(!RenderInfo(trace, Style()).empty());
  Require(!RenderInfoJson(trace).empty());
}

void RunOne(absl::string_view input) {
  if (input.empty()) return;
  const bool framed = input[0] == 'C';
  input.remove_prefix(1);
  const std::string file = framed ? FrameChunks(input) : std::string(input);
  for (const bool everything : {false, true}) {
    ReadOptions options;
    options.check = options.chunk_stats = everything;
    absl::StatusOr<Recording> recording =
        Recording::Open(MemorySource(file), "fuzz.mgram");
    Require(recording.ok() || !recording.status().message().empty());
    if (!recording.ok()) continue;
    absl::StatusOr<Trace> trace =
        ReadTrace(*recording, options, [](uint64_t, uint64_t) {});
    Require(trace.ok() || !trace.status().message().empty());
    if (trace.ok() && everything) ReportOn(*std::move(trace));
  }
}

// As 'C' input.
std::string Unframe(const std::string& file, const std::vector<uint64_t>& offsets,
                    bool footer) {
  std::string input = "C";
  for (const uint64_t offset : offsets) {
    const ChunkHeader header = *DecodeChunkHeader(
        std::string_view(file).substr(offset, sizeof(ChunkHeader)));
    const std::string payload = *DecodeChunk(
        header, std::string_view(file).substr(offset + sizeof(ChunkHeader),
                                              header.stored_bytes));
    if (!footer && header.type == ChunkType::kSummary) continue;
    if (payload.size() > 0xffff) continue;
    input += static_cast<char>(header.type);
    input += static_cast<char>(payload.size() & 0xff);
    input += static_cast<char>(payload.size() >> 8);
    input += payload;
  }
  if (footer) input += std::string("\x09\0\0", 3);
  return input;
}

[[maybe_unused]] void WriteSeeds(const std::string& dir) {
  int number = 0;
  const auto write = [&](const std::string& bytes) {
    std::ofstream(absl::StrCat(dir, "/seed", number++), std::ios::binary) << bytes;
  };
  for (const uint32_t events : {4u, 40u, 400u}) {
    const MadeTrace made = MakeTrace(events, 2, "/lib/x.so");
    write(absl::StrCat("R", made.whole));
    write(absl::StrCat("R", made.unfinished));
    write(Unframe(made.whole, made.chunk_offsets, true));
    write(Unframe(made.whole, made.chunk_offsets, false));
  }
}

}  // namespace
}  // namespace mallogram

#ifdef MALLOGRAM_REPLAY
int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--seeds") {
    mallogram::WriteSeeds(argv[2]);
    return 0;
  }
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file) {
      fprintf(stderr, "%s: cannot be read\n", argv[i]);
      return 1;
    }
    std::stringstream bytes;
    bytes << file.rdbuf();
    mallogram::RunOne(bytes.str());
  }
  printf("%d inputs\n", argc - 1);
  return argc > 1 ? 0 : 2;
}
#else
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mallogram::RunOne(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
#endif
