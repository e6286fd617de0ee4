#include "analyzer/recording/read_chunks.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "analyzer/recording/byte_source.h"
#include "analyzer/recording/chunk_directory.h"
#include "preload/trace/chunk_io.h"

namespace mallogram {

absl::StatusOr<std::vector<std::string>> ReadChunksOf(absl::string_view path,
                                                      ChunkType type) {
  absl::StatusOr<std::unique_ptr<ByteSource>> opened = OpenFile(path);
  if (!opened.ok()) return opened.status();
  ByteSource& source = **opened;
  const absl::StatusOr<std::string> head = source.Read(0, sizeof(FileHeader));
  if (!head.ok()) return head.status();
  const absl::Status status = CheckFileHeader(*head);
  if (!status.ok())
    return absl::DataLossError(absl::StrCat(path, ": ", status.message()));
  absl::StatusOr<ChunkDirectory> directory =
      ReadIndex(source, [type](ChunkType other) { return other == type; });
  if (!directory.ok()) {
    directory = WalkChunks(source, [](uint64_t, uint64_t) {});
    if (!directory.ok()) return directory.status();
  }
  std::vector<std::string> payloads;
  for (const ChunkRef& chunk : directory->chunks) {
    if (chunk.header.type != type) continue;
    absl::StatusOr<std::string> payload = ReadChunk(source, chunk);
    if (payload.ok()) payloads.push_back(*std::move(payload));
  }
  return payloads;
}

}  // namespace mallogram
