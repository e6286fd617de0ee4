// Chunks to bytes and back: compression, checksum, framing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "preload/trace_format.h"

namespace mallogram {

// The 24 bytes that open a file of this version.
std::string EncodeFileHeader(uint32_t version = kUnsampledVersion);

// OK, or why this is not a trace that can be read (not a trace, newer version,
// damaged header), in words for the user. `bytes` is the start of the file.
absl::Status CheckFileHeader(std::string_view bytes);

// Header and stored payload. `level` is zstd's; payloads that don't shrink are
// stored. REQUIRES: payload.size() <= kMaxChunkBytes.
std::string EncodeChunk(ChunkType type, uint32_t sequence, std::string_view payload,
                        int level = 1);

// A chunk header that passed the checks that need no payload: magic, bounds.
// InvalidArgument: these 32 bytes are no chunk header.
absl::StatusOr<ChunkHeader> DecodeChunkHeader(std::string_view bytes);

// The payload decoded. `stored` is exactly header.stored_bytes long.
// DataLoss: the checksum or the compressed data is wrong.
absl::StatusOr<std::string> DecodeChunk(const ChunkHeader& header,
                                        std::string_view stored);

std::string EncodeTrailer(uint64_t index_offset);
// The index's offset. NotFound: these 24 bytes are no trailer.
absl::StatusOr<uint64_t> DecodeTrailer(std::string_view bytes);

}  // namespace mallogram
