// Chunks and file headers: what is written is read back; every damage is told.
#include "preload/trace/chunk_io.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "tests/trace/damage.h"

namespace mallogram {
namespace {

// What a reader does with one chunk.
absl::StatusOr<std::string> ReadChunk(std::string_view bytes) {
  absl::StatusOr<ChunkHeader> header = DecodeChunkHeader(bytes);
  if (!header.ok()) return header.status();
  return DecodeChunk(*header,
                     bytes.substr(sizeof(ChunkHeader), header->stored_bytes));
}

TEST(FileHeader, IsAccepted) {
  const std::string bytes = EncodeFileHeader();
  EXPECT_EQ(bytes.size(), sizeof(FileHeader));
  EXPECT_TRUE(CheckFileHeader(bytes).ok());
  EXPECT_TRUE(CheckFileHeader(bytes + "more").ok());
}

TEST(FileHeader, SaysWhatIsWrong) {
  EXPECT_EQ(CheckFileHeader("").message(), "the file is empty");
  EXPECT_EQ(CheckFileHeader("#!/bin/sh\nexit 0\n").message(),
            "not a Mallogram trace");
  EXPECT_EQ(CheckFileHeader("x").message(), "not a Mallogram trace");
  EXPECT_TRUE(absl::IsDataLoss(CheckFileHeader(EncodeFileHeader().substr(0, 12))));
}

TEST(FileHeader, EveryDamageIsSeen) {
  ForEachDamage(EncodeFileHeader(), [](const std::string& damaged) {
    EXPECT_FALSE(CheckFileHeader(damaged).ok());
  });
}

TEST(Chunk, RoundTripsAtEverySize) {
  for (const size_t size : {0, 1, 2, 63, 4096, 1 << 20}) {
    std::string payload(size, 'a');
    for (size_t i = 0; i < size; i += 7) payload[i] = static_cast<char>(i * i);
    const std::string bytes = EncodeChunk(ChunkType::kEvents, 7, payload);
    const absl::StatusOr<ChunkHeader> header = DecodeChunkHeader(bytes);
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(header->type, ChunkType::kEvents);
    EXPECT_EQ(header->sequence, 7u);
    EXPECT_EQ(header->raw_bytes, size);
    EXPECT_EQ(bytes.size(), sizeof(ChunkHeader) + header->stored_bytes);
    EXPECT_EQ(ReadChunk(bytes).value(), payload);
  }
}

TEST(Chunk, StoresWhatDoesNotShrink) {
  std::string noise;
  uint64_t x = 1;
  for (int i = 0; i < 1000; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    noise.push_back(static_cast<char>(x >> 56));
  }
  const std::string bytes = EncodeChunk(ChunkType::kRun, 0, noise);
  EXPECT_EQ(DecodeChunkHeader(bytes)->codec, ChunkCodec::kStored);
  EXPECT_EQ(
      DecodeChunkHeader(EncodeChunk(ChunkType::kRun, 0, std::string(1000, 'a')))
          ->codec,
      ChunkCodec::kZstd);
}

TEST(Chunk, EveryDamageIsSeen) {
  for (const std::string& payload :
       {std::string(500, 'x'), std::string("\x01\xfeq")}) {
    ForEachDamage(
        EncodeChunk(ChunkType::kStacks, 3, payload),
        [](const std::string& damaged) { EXPECT_FALSE(ReadChunk(damaged).ok()); });
  }
}

// A checksum is no signature: lengths are checked even where it matches.
TEST(Chunk, HostileLengthAllocatesNothing) {
  std::string bytes = EncodeChunk(ChunkType::kEvents, 0, std::string(100000, 'x'));
  ChunkHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const std::string_view stored = std::string_view(bytes).substr(sizeof(header));
  const auto sign = [&] {
    header.checksum = XXH3_64bits_withSeed(stored.data(), stored.size(),
                                           XXH3_64bits(&header, 24));
  };
  sign();
  ASSERT_TRUE(DecodeChunk(header, stored).ok()) << "the forgery is good";
  header.raw_bytes = kMaxChunkBytes;
  sign();
  EXPECT_EQ(DecodeChunk(header, stored).status().message(),
            "the chunk's lengths contradict each other");
  header.raw_bytes = kMaxChunkBytes + 1;
  std::memcpy(bytes.data(), &header, sizeof(header));
  EXPECT_FALSE(DecodeChunkHeader(bytes).ok());
}

TEST(Trailer, RoundTripsAndEveryDamageIsSeen) {
  const std::string bytes = EncodeTrailer(123456789);
  ASSERT_EQ(bytes.size(), kTrailerBytes);
  EXPECT_EQ(DecodeTrailer(bytes).value(), 123456789u);
  ForEachDamage(bytes, [](const std::string& damaged) {
    EXPECT_FALSE(DecodeTrailer(damaged).ok());
  });
}

}  // namespace
}  // namespace mallogram
