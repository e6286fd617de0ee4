// The .mgram file: THE contract between the collector that writes it and the
// analyzer that reads it. Nothing else defines a byte of it; encoders and
// decoders that are too long for this header stand side by side in
// preload/trace/ (one file a chunk family).
//
//   file    := FileHeader chunk*
//   chunk   := ChunkHeader payload[stored_bytes]
//
// All integers little-endian. Payloads are sequences of varints (LEB128, as in
// protobuf), zigzag varints and length-prefixed strings; a payload is stored as
// it is or as one zstd frame. Every chunk is checksummed on its own, so a file
// is readable up to its last whole chunk whatever happened to the writer, and
// damage is confined to the chunk that it hit.
//
//   type      payload                                       how many
//   kRun      facts of the process and the recording         first chunk; again
//                                                            when they change
//   kModules  module generations, loads and unloads          before first use
//   kStacks   stack nodes, ids dense in order of appearance  before first use
//   kThreads  thread ids and names                           before first use
//   kEvents   allocations and frees, in order                the bulk
//   kSamples  heap and RSS over time                         about one a second
//   kSummary  totals, sites, histograms (see summary.h)      once, at the end
//   kIndex    type, offset and event range of every chunk    last, with kSummary
//   kMarks    states that the program named (marks.h)        after the first kRun
//   kLeaks    one leak check: classes and holders (leaks.h)  one a check
//   kMismatches  frees that do not fit (mismatches.h)        the last one counts
//   kPools    blocks of the program's own allocators         the last one counts
//             (pools.h)
//   kModuleFiles  what tells a changed file without build-id after its kModules
//   kNames    functions, files and lines of addresses        by symbolize: last,
//             (names.h)                                      but for kIndex
//
// Reading order: kIndex is found through the last kTrailerBytes of the file
// (its offset, then kTrailerMagic). Without a valid trailer the reader walks the
// chunks from the start and folds kEvents again (heap_model.h), and says so.
//
// Events are in one global order (the collector merged the threads). A block is
// named by its *slot*: the most recently released slot is given out first. Writer
// and reader both simulate this (slots.h), so an allocation stores no name at all,
// a free a small number, and a loop repeats the same bytes.
//
// Versioning: kTraceVersion is raised when an old reader would misread. A reader
// refuses newer files. Unknown chunk types are skipped.
//
// Words, one for one thing, here and in the code:
//   block      what an allocation gave; events name it by its slot (slots.h)
//   alloc      a block is given out
//   free       a block is taken back
//   move       realloc: a free and an alloc in one
//   event      an alloc, free or move; a record, as long as it is in a ring
//   stack      the frames of a call, innermost first, and how they ended (root)
//   node       a frame and the node outward of it; a node's id names a stack
//   call site  the frame that called the allocation function
//   site       a stack that has blocks, with its sums (summary.h)
//   mark       a moment that the program named (marks.h)
//   note       what a ring says of a block beside its events: kind, pool
//   recording  what one run gave: a file a process. `Trace` is one file, read
//   recorded   in the file; not so: lost (--on-full drop) or paused
//   sampled    a recording of some blocks only: those are followed (sampling.h)
//
// Freestanding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mallogram {

inline constexpr uint32_t kTraceVersion = 2;
// Of a recording that is not sampled: readers that know no sampling read it as
// well.
inline constexpr uint32_t kUnsampledVersion = 1;
inline constexpr char kTraceSuffix[] = ".mgram";

// Like PNG's: catches text-mode conversion and 7-bit transports.
inline constexpr unsigned char kFileMagic[8] = {'M', 'G',  'R',  'A',
                                                'M', '\r', '\n', 0x1a};

struct FileHeader {
  unsigned char magic[8];
  uint32_t version;
  uint32_t reserved;  // 0
  uint64_t checksum;  // XXH3-64 of the 16 bytes before
};
static_assert(sizeof(FileHeader) == 24);

enum class ChunkType : uint16_t {
  kRun = 1,
  kModules = 2,
  kStacks = 3,
  kThreads = 4,
  kEvents = 5,
  kSamples = 6,
  kSummary = 7,
  kIndex = 8,
  kMarks = 9,
  kLeaks = 10,
  kMismatches = 11,
  kPools = 12,
  kModuleFiles = 13,
  kNames = 14,
};

enum class ChunkCodec : uint16_t { kStored = 0, kZstd = 1 };

inline constexpr uint32_t kChunkMagic = 0x4b43474d;  // "MGCK"

struct ChunkHeader {
  uint32_t magic;
  ChunkType type;
  ChunkCodec codec;
  uint32_t sequence;      // 0, 1, 2 … in file order: a gap is a lost chunk
  uint32_t stored_bytes;  // payload as stored
  uint32_t raw_bytes;     // payload decoded
  uint32_t reserved;      // 0
  uint64_t checksum;      // XXH3-64 of the stored payload, the seed being the
                          // XXH3-64 of the 24 bytes before
};
static_assert(sizeof(ChunkHeader) == 32);

// A reader refuses more: no honest chunk is larger, and a hostile length must
// not allocate gigabytes.
inline constexpr uint32_t kMaxChunkBytes = 256u << 20;

struct Trailer {
  uint64_t index_offset;  // of the kIndex chunk's header
  uint64_t checksum;      // XXH3-64 of index_offset
  uint64_t magic;
};
inline constexpr uint64_t kTrailerMagic = 0x444e454d4152474dULL;  // "MGRAMEND"
inline constexpr size_t kTrailerBytes = sizeof(Trailer);
static_assert(kTrailerBytes == 24);

// ---- primitives -----------------------------------------------------------

inline constexpr size_t kMaxVarintBytes = 10;

// Writes `value` at `out` (room for kMaxVarintBytes); returns the byte after it.
inline unsigned char* EncodeVarint(uint64_t value, unsigned char* out) {
  while (value >= 0x80) {
    *out++ = static_cast<unsigned char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<unsigned char>(value);
  return out;
}

// Reads a varint from [p, end) into *value; returns the byte after it, or
// nullptr if the input ends early or the number is longer than 64 bits.
inline const unsigned char* DecodeVarint(const unsigned char* p,
                                         const unsigned char* end,
                                         uint64_t* value) {
  if (p < end && *p < 0x80) [[likely]] {
    *value = *p;
    return p + 1;
  }
  uint64_t result = 0;
  for (int shift = 0; p < end && shift < 64; shift += 7) {
    const uint64_t byte = *p++;
    if (shift == 63 && byte > 1) return nullptr;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return p;
    }
  }
  return nullptr;
}

constexpr uint64_t ZigZag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

}  // namespace mallogram
