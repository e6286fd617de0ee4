// Framing of chunks. The checksum covers the header (but for itself) and the
// stored payload, so it is checked before zstd sees a byte.
#include "preload/trace/chunk_io.h"

#include <xxhash.h>
#include <zstd.h>

#include <cstring>
#include <memory>
#include <new>

#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

constexpr size_t kChecksummedHeader = offsetof(ChunkHeader, checksum);
static_assert(kChecksummedHeader == 24);

std::string_view AsBytes(const void* object, size_t bytes) {
  return {static_cast<const char*>(object), bytes};
}

uint64_t ChunkChecksum(const ChunkHeader& header, std::string_view stored) {
  // Chained instead of concatenated: the seed carries the header's hash.
  const uint64_t seed = XXH3_64bits(&header, kChecksummedHeader);
  return XXH3_64bits_withSeed(stored.data(), stored.size(), seed);
}

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Contexts are reused: creating one costs more than compressing a small chunk.
ZSTD_CCtx* Compressor() {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}
ZSTD_DCtx* Decompressor() {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

std::string EncodeFileHeader(uint32_t version) {
  FileHeader header{};
  std::memcpy(header.magic, kFileMagic, sizeof(kFileMagic));
  header.version = version;
  header.checksum = XXH3_64bits(&header, offsetof(FileHeader, checksum));
  return std::string(AsBytes(&header, sizeof(header)));
}

absl::Status CheckFileHeader(std::string_view bytes) {
  FileHeader header;
  const size_t have = bytes.size() < sizeof(header) ? bytes.size() : sizeof(header);
  if (have == 0) return absl::InvalidArgumentError("the file is empty");
  std::memcpy(&header, bytes.data(), have);
  const size_t magic_bytes = have < sizeof(kFileMagic) ? have : sizeof(kFileMagic);
  if (std::memcmp(header.magic, kFileMagic, magic_bytes) != 0) {
    return absl::InvalidArgumentError("not a Mallogram trace");
  }
  if (have < sizeof(header)) {
    return absl::DataLossError("the trace is cut within its first 24 bytes");
  }
  if (header.checksum != XXH3_64bits(&header, offsetof(FileHeader, checksum))) {
    return absl::DataLossError("the file's header is damaged");
  }
  if (header.version > kTraceVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the trace has format ", header.version, ", this mallogram reads up to ",
        kTraceVersion, ": use a newer mallogram"));
  }
  return absl::OkStatus();
}

std::string EncodeChunk(ChunkType type, uint32_t sequence, std::string_view payload,
                        int level) {
  std::string out;
  const size_t bound = ZSTD_compressBound(payload.size());
  out.resize(sizeof(ChunkHeader) + bound);
  char* const stored = out.data() + sizeof(ChunkHeader);

  ChunkHeader header{};
  header.magic = kChunkMagic;
  header.type = type;
  header.sequence = sequence;
  header.raw_bytes = static_cast<uint32_t>(payload.size());
  // No context, no memory: it can be stored as it is.
  ZSTD_CCtx* const context = Compressor();
  const size_t packed =
      context == nullptr ? payload.size()
                         : ZSTD_compressCCtx(context, stored, bound, payload.data(),
                                             payload.size(), level);
  if (ZSTD_isError(packed) == 0 && packed < payload.size()) {
    header.codec = ChunkCodec::kZstd;
    header.stored_bytes = static_cast<uint32_t>(packed);
  } else {
    header.codec = ChunkCodec::kStored;
    header.stored_bytes = header.raw_bytes;
    if (!payload.empty()) std::memcpy(stored, payload.data(), payload.size());
  }
  out.resize(sizeof(ChunkHeader) + header.stored_bytes);
  header.checksum =
      ChunkChecksum(header, std::string_view(out).substr(sizeof(ChunkHeader)));
  std::memcpy(out.data(), &header, sizeof(header));
  return out;
}

absl::StatusOr<ChunkHeader> DecodeChunkHeader(std::string_view bytes) {
  ChunkHeader header;
  if (bytes.size() < sizeof(header)) {
    return absl::InvalidArgumentError("cut within a chunk's header");
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kChunkMagic) {
    return absl::InvalidArgumentError("no chunk starts here");
  }
  if (header.stored_bytes > kMaxChunkBytes || header.raw_bytes > kMaxChunkBytes) {
    return absl::InvalidArgumentError("a chunk's length is impossible");
  }
  return header;
}

absl::StatusOr<std::string> DecodeChunk(const ChunkHeader& header,
                                        std::string_view stored) {
  if (stored.size() != header.stored_bytes) {
    return absl::DataLossError("the chunk is cut");
  }
  if (ChunkChecksum(header, stored) != header.checksum) {
    return absl::DataLossError("the chunk's checksum is wrong");
  }
  if (header.codec == ChunkCodec::kStored) {
    if (header.raw_bytes != header.stored_bytes) {
      return absl::DataLossError("the chunk's lengths contradict each other");
    }
    return std::string(stored);
  }
  if (header.codec != ChunkCodec::kZstd) {
    return absl::DataLossError(
        "the chunk is packed in a way unknown to this reader");
  }
  // Before allocating: the frame must agree with the header.
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != header.raw_bytes) {
    return absl::DataLossError("the chunk's lengths contradict each other");
  }
  if (Decompressor() == nullptr) throw std::bad_alloc();
  std::string raw(header.raw_bytes, '\0');
  const size_t got = ZSTD_decompressDCtx(Decompressor(), raw.data(), raw.size(),
                                         stored.data(), stored.size());
  if (ZSTD_isError(got) != 0 || got != raw.size()) {
    return absl::DataLossError("the chunk's compressed data is damaged");
  }
  return raw;
}

std::string EncodeTrailer(uint64_t index_offset) {
  Trailer trailer{};
  trailer.index_offset = index_offset;
  trailer.checksum = XXH3_64bits(&index_offset, sizeof(index_offset));
  trailer.magic = kTrailerMagic;
  return std::string(AsBytes(&trailer, sizeof(trailer)));
}

absl::StatusOr<uint64_t> DecodeTrailer(std::string_view bytes) {
  Trailer trailer;
  if (bytes.size() != sizeof(trailer)) {
    return absl::NotFoundError("the file has no trailer");
  }
  std::memcpy(&trailer, bytes.data(), sizeof(trailer));
  if (trailer.magic != kTrailerMagic ||
      trailer.checksum !=
          XXH3_64bits(&trailer.index_offset, sizeof(trailer.index_offset))) {
    return absl::NotFoundError("the file has no trailer");
  }
  return trailer.index_offset;
}

}  // namespace mallogram
