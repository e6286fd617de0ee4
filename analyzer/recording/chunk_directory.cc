#include "analyzer/recording/chunk_directory.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "preload/trace/chunk_io.h"

namespace mallogram {
namespace {

// After damage the next whole chunk is searched by its magic, and each candidate
// proved by its checksum. A hostile file can be all candidates with long
// payloads: past this many bytes of proving, the rest counts as lost.
constexpr uint64_t kResyncBudget = uint64_t{1} << 30;
constexpr uint64_t kScanBlock = 1 << 20;

absl::StatusOr<ChunkHeader> ReadHeader(ByteSource& source, uint64_t offset) {
  absl::StatusOr<std::string> bytes = source.Read(offset, sizeof(ChunkHeader));
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() < sizeof(ChunkHeader)) {
    return absl::OutOfRangeError("the file ends in a chunk header");
  }
  return DecodeChunkHeader(*bytes);
}

uint64_t EndOf(const ChunkRef& chunk) {
  return chunk.offset + sizeof(ChunkHeader) + chunk.header.stored_bytes;
}

bool IsTrailer(ByteSource& source, uint64_t offset) {
  if (source.size() - offset != kTrailerBytes) return false;
  absl::StatusOr<std::string> bytes = source.Read(offset, kTrailerBytes);
  return bytes.ok() && DecodeTrailer(*bytes).ok();
}

// The first whole chunk at or after `offset`; file size if there is none.
absl::StatusOr<uint64_t> Resync(ByteSource& source, uint64_t offset,
                                uint64_t* budget, ProgressFn progress) {
  char magic[sizeof(kChunkMagic)];
  std::memcpy(magic, &kChunkMagic, sizeof magic);
  const std::string needle(magic, sizeof magic);
  while (offset < source.size()) {
    progress(offset, source.size());
    absl::StatusOr<std::string> block = source.Read(offset, kScanBlock);
    if (!block.ok()) return block.status();
    if (block->size() < sizeof(ChunkHeader)) break;
    for (size_t at = block->find(needle); at != std::string::npos;
         at = block->find(needle, at + 1)) {
      const absl::StatusOr<ChunkHeader> header = ReadHeader(source, offset + at);
      if (!header.ok() || header->stored_bytes > *budget) continue;
      *budget -= header->stored_bytes;
      if (ReadChunk(source, {offset + at, *header}).ok()) return offset + at;
    }
    // A magic may lie across the block's end.
    offset += block->size() - (needle.size() - 1);
  }
  return source.size();
}

}  // namespace

absl::StatusOr<std::string> ReadChunk(ByteSource& source, const ChunkRef& chunk) {
  absl::StatusOr<std::string> stored =
      source.Read(chunk.offset + sizeof(ChunkHeader), chunk.header.stored_bytes);
  if (!stored.ok()) return stored.status();
  if (stored->size() != chunk.header.stored_bytes) {
    return absl::DataLossError("the file ends inside a chunk");
  }
  return DecodeChunk(chunk.header, *stored);
}

absl::StatusOr<ChunkDirectory> ReadIndex(
    ByteSource& source, absl::FunctionRef<bool(ChunkType)> wanted) {
  if (source.size() < sizeof(FileHeader) + kTrailerBytes) {
    return absl::NotFoundError("too short for a footer");
  }
  absl::StatusOr<std::string> tail =
      source.Read(source.size() - kTrailerBytes, kTrailerBytes);
  if (!tail.ok()) return tail.status();
  const absl::StatusOr<uint64_t> index_offset = DecodeTrailer(*tail);
  if (!index_offset.ok()) return index_offset.status();
  if (*index_offset >= source.size()) return absl::DataLossError("index offset");

  ChunkRef index{*index_offset, {}};
  const absl::StatusOr<ChunkHeader> header = ReadHeader(source, *index_offset);
  if (!header.ok()) return header.status();
  index.header = *header;
  if (index.header.type != ChunkType::kIndex)
    return absl::DataLossError("no index");
  absl::StatusOr<std::string> payload = ReadChunk(source, index);
  if (!payload.ok()) return payload.status();
  absl::StatusOr<std::vector<IndexEntry>> entries = DecodeIndex(*payload);
  if (!entries.ok()) return entries.status();

  ChunkDirectory directory;
  directory.from_index = true;
  directory.index_chunks = entries->size();
  for (const IndexEntry& entry : *entries) {
    if (!wanted(entry.type)) continue;
    const absl::StatusOr<ChunkHeader> chunk = ReadHeader(source, entry.offset);
    if (!chunk.ok()) return chunk.status();
    if (chunk->type != entry.type)
      return absl::DataLossError("index and chunks differ");
    directory.chunks.push_back({entry.offset, *chunk});
  }
  if (wanted(ChunkType::kIndex)) directory.chunks.push_back(index);
  std::sort(
      directory.chunks.begin(), directory.chunks.end(),
      [](const ChunkRef& a, const ChunkRef& b) { return a.offset < b.offset; });
  // An index that names a chunk twice would double what is in it.
  for (size_t i = 1; i < directory.chunks.size(); ++i) {
    if (directory.chunks[i].offset < EndOf(directory.chunks[i - 1])) {
      return absl::DataLossError("overlapping chunks");
    }
  }
  return directory;
}

absl::StatusOr<ChunkDirectory> WalkChunks(ByteSource& source, ProgressFn progress) {
  ChunkDirectory directory;
  uint64_t budget = kResyncBudget;
  uint64_t offset = sizeof(FileHeader);
  while (offset < source.size()) {
    progress(offset, source.size());
    if (IsTrailer(source, offset)) break;
    const absl::StatusOr<ChunkHeader> header = ReadHeader(source, offset);
    if (header.ok() && EndOf({offset, *header}) <= source.size()) {
      directory.chunks.push_back({offset, *header});
      offset = EndOf(directory.chunks.back());
      continue;
    }
    if (header.status().code() == absl::StatusCode::kUnavailable) {
      return header.status();
    }
    // Damage here, or in the length of the chunk before: search on from inside
    // that one unless it proves whole.
    if (!directory.chunks.empty() && directory.lost_stretches < 64 &&
        directory.chunks.back().header.stored_bytes <= budget &&
        EndOf(directory.chunks.back()) == offset) {
      const ChunkRef last = directory.chunks.back();
      budget -= last.header.stored_bytes;
      if (!ReadChunk(source, last).ok()) {
        offset = last.offset + 1;
        directory.chunks.pop_back();
      }
    }
    absl::StatusOr<uint64_t> next = Resync(source, offset, &budget, progress);
    if (!next.ok()) return next.status();
    if (*next == source.size()) {
      // Nothing whole follows: an unfinished write if a plausible header or a
      // part of one stands here, else damage.
      const absl::StatusOr<ChunkHeader> again = ReadHeader(source, offset);
      directory.cut = again.ok() || source.size() - offset < sizeof(ChunkHeader);
      if (directory.cut) break;
    }
    if (directory.lost_stretches++ == 0) directory.first_lost = offset;
    directory.lost_bytes += *next - offset;
    offset = *next;
  }
  return directory;
}

}  // namespace mallogram
