#include "analyzer/recording/recording.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "preload/trace/chunk_io.h"

namespace mallogram {

absl::StatusOr<Recording> Recording::Open(absl::string_view path) {
  absl::StatusOr<std::unique_ptr<ByteSource>> source = OpenFile(path);
  if (!source.ok()) return source.status();
  return Open(*std::move(source), path);
}

absl::StatusOr<Recording> Recording::Open(std::unique_ptr<ByteSource> source,
                                          absl::string_view path) {
  const absl::StatusOr<std::string> head = source->Read(0, sizeof(FileHeader));
  if (!head.ok()) return head.status();
  const absl::Status status = CheckFileHeader(*head);
  if (!status.ok())
    return absl::DataLossError(absl::StrCat(path, ": ", status.message()));
  return Recording(std::move(source), path);
}

absl::StatusOr<const ChunkDirectory*> Recording::Walk(ProgressFn progress) {
  if (walked_ == nullptr) {
    absl::StatusOr<ChunkDirectory> walked = WalkChunks(*source_, progress);
    if (!walked.ok()) return walked.status();
    walked_ = std::make_unique<ChunkDirectory>(*std::move(walked));
  }
  return walked_.get();
}

absl::StatusOr<const ChunkDirectory*> Recording::Directory(Chunks which,
                                                           ProgressFn progress) {
  std::unique_ptr<ChunkDirectory>& known = indexed_[static_cast<size_t>(which)];
  if (known != nullptr) return known.get();
  absl::StatusOr<ChunkDirectory> indexed =
      ReadIndex(*source_, [which](ChunkType type) {
        return which == Chunks::kAll ||
               (type == ChunkType::kEvents) == (which == Chunks::kEvents);
      });
  if (!indexed.ok()) return Walk(progress);
  known = std::make_unique<ChunkDirectory>(*std::move(indexed));
  return known.get();
}

absl::StatusOr<std::vector<std::string>> Recording::Payloads(ChunkType type) {
  const absl::StatusOr<const ChunkDirectory*> directory =
      Directory(Chunks::kFacts, [](uint64_t, uint64_t) {});
  if (!directory.ok()) return directory.status();
  std::vector<std::string> payloads;
  for (const ChunkRef& chunk : (*directory)->chunks) {
    if (chunk.header.type != type) continue;
    absl::StatusOr<std::string> payload = ReadChunk(*source_, chunk);
    if (payload.ok()) payloads.push_back(*std::move(payload));
  }
  return payloads;
}

absl::StatusOr<RunInfo> Recording::Facts() {
  const absl::StatusOr<std::vector<std::string>> payloads =
      Payloads(ChunkType::kRun);
  if (!payloads.ok()) return payloads.status();
  absl::StatusOr<RunInfo> facts = absl::NotFoundError("the facts are lost");
  for (const std::string& payload : *payloads) {
    absl::StatusOr<RunInfo> later = DecodeRunInfo(payload);
    if (later.ok()) facts = std::move(later);
  }
  return facts;
}

absl::StatusOr<Marks> Recording::ReadMarks() {
  const absl::StatusOr<std::vector<std::string>> payloads =
      Payloads(ChunkType::kMarks);
  if (!payloads.ok()) return payloads.status();
  Marks all;
  for (const std::string& payload : *payloads) {
    absl::StatusOr<Marks> marks = DecodeMarks(payload);
    if (!marks.ok()) continue;
    all.start_monotonic_ns = marks->start_monotonic_ns;
    for (Mark& mark : marks->marks) all.marks.push_back(std::move(mark));
  }
  return all;
}

bool EventChunks::Next(uint64_t events, EventDecoder* decoder) {
  if (!status_.ok()) return false;
  if (directory_ == nullptr) {
    const absl::StatusOr<const ChunkDirectory*> found =
        recording_.Directory(Chunks::kEvents, progress_);
    status_ = found.status();
    if (!status_.ok()) return false;
    directory_ = *found;
  }
  const std::vector<ChunkRef>& chunks = directory_->chunks;
  while (next_ < chunks.size() && chunks[next_].header.type != ChunkType::kEvents)
    ++next_;
  if (next_ == chunks.size()) return false;
  const ChunkRef& chunk = chunks[next_++];
  offset_ = chunk.offset;
  progress_(offset_, recording_.file_bytes());
  absl::StatusOr<std::string> payload = ReadChunk(recording_.source(), chunk);
  status_ = payload.status();
  if (!status_.ok()) return false;
  payload_ = *std::move(payload);
  *decoder = EventDecoder();
  status_ = decoder->Init(payload_);
  if (status_.ok() && decoder->first_event() != events)
    status_ = absl::FailedPreconditionError("events are missing");
  return status_.ok();
}

}  // namespace mallogram
