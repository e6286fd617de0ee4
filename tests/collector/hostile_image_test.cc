// Images whose program scribbles over them: whatever it is, the session neither
// crashes nor hangs nor stalls the program, and what it writes can be read.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "tests/collector/session_fixture.h"

namespace mallogram {
namespace {

class HostileImageTest : public SessionTest {};

TEST_F(HostileImageTest, DamagedGeometryIsRefusedOrHarmless) {
  std::mt19937_64 random(1);
  const size_t fields = offsetof(ImageHeader, pid) / 4;
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    TestImage image(2, 64, 64);
    auto* words = reinterpret_cast<uint32_t*>(image.base());
    const uint64_t r = random();
    const uint32_t values[] = {0,
                               1,
                               0xffffffff,
                               0x80000000,
                               static_cast<uint32_t>(r >> 32),
                               1u << (r >> 40) % 32};
    words[r % fields] = values[(r >> 20) % 6];
    unlink(options_.path.c_str());
    auto session = Session::Open(image.DupFd(), getpid(), options_);
    if (!session.ok()) {
      ++refused;
      continue;
    }
    (*session)->Drain();
    EXPECT_TRUE((*session)->Finish(EndReason::kExited, 0, 0).ok());
  }
  EXPECT_GT(refused, 1000);
}

TEST_F(HostileImageTest, ImpossibleGeometryIsRefused) {
  using Change = void (*)(ImageHeader*);
  const Change changes[] = {
      [](ImageHeader* h) { h->magic ^= 1; },
      [](ImageHeader* h) { h->version += 1; },
      [](ImageHeader* h) { h->header_bytes += 64; },
      [](ImageHeader* h) { h->base_bytes *= 2; },
      [](ImageHeader* h) { h->base_bytes = 4 * kImagePage; },
      [](ImageHeader* h) { h->base_bytes = 0; },
      [](ImageHeader* h) { h->file_bytes *= 2; },
      [](ImageHeader* h) { h->ring_words.others = 0; },
      [](ImageHeader* h) { h->ring_words.first = 0; },
      [](ImageHeader* h) { h->ring_words.others = 48; },
      [](ImageHeader* h) { h->ring_words.first = 48; },
      [](ImageHeader* h) { h->ring_words.others = 1u << 31; },
      [](ImageHeader* h) { h->ring_words.first = 1u << 31; },
      [](ImageHeader* h) { h->max_rings = 0; },
      [](ImageHeader* h) { h->max_rings = kMaxRings + 1; },
      [](ImageHeader* h) { h->max_rings = UINT32_MAX; },
      [](ImageHeader* h) { h->max_modules = UINT32_MAX; },
      [](ImageHeader* h) { h->max_nodes = UINT32_MAX; },
      [](ImageHeader* h) { h->strings_bytes = UINT32_MAX; },
      [](ImageHeader* h) { h->ring_chunks.offset[0] = 0; },
      [](ImageHeader* h) { h->ring_chunks.offset[0] += 8; },
      [](ImageHeader* h) { h->ring_chunks.offset[0] = h->base_bytes - kImagePage; },
      [](ImageHeader* h) { h->node_chunks.offset[0] = h->base_bytes - 64; },
      [](ImageHeader* h) { h->module_chunks.offset[0] = h->file_bytes; },
      [](ImageHeader* h) { h->string_chunks.offset[0] = UINT64_MAX - 4095; },
  };
  int number = 0;
  for (const Change change : changes) {
    TestImage image(2, 4096, 4096);
    change(image.header());
    EXPECT_FALSE(Session::Open(image.DupFd(), getpid(), options_).ok())
        << "change " << number;
    ++number;
    unlink(options_.path.c_str());
  }
}

TEST_F(HostileImageTest, TooShortOrNoImage) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_FALSE(Session::Open(null, getpid(), options_).ok());
  const int empty = memfd_create("empty", MFD_CLOEXEC);
  EXPECT_FALSE(Session::Open(dup(empty), getpid(), options_).ok());
  ASSERT_EQ(ftruncate(empty, 1 << 20), 0);
  EXPECT_FALSE(Session::Open(empty, getpid(), options_).ok());
  EXPECT_FALSE(Session::Open(-1, getpid(), options_).ok());
}

uint64_t BytesInMemory(const TestImage& image) {
  const int fd = image.DupFd();
  struct stat info {};
  EXPECT_EQ(fstat(fd, &info), 0);
  close(fd);
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

// Pages are made ahead of the program, but not for counts that it only claims.
TEST_F(HostileImageTest, PagesAheadFollowWhatIsRecorded) {
  TestImage image(2048, 1 << 14, 1 << 22);
  std::unique_ptr<Session> session = Open(&image);
  RecordWriter& ring = image.OpenRing(getpid(), ReadStamp(true));
  ring.Publish();
  const uint64_t before = BytesInMemory(image);
  session->Drain();
  EXPECT_GE(BytesInMemory(image), before + (128 << 10));
  image.header()->ring_count = 2048;
  image.header()->node_count = 1 << 22;
  for (int round = 0; round < 20; ++round) session->Drain();
  EXPECT_LE(BytesInMemory(image), before + (4 << 20));
}

// Random words everywhere behind the geometry while the session runs: it neither
// crashes nor hangs, and what it writes can still be read.
TEST_F(HostileImageTest, ScribbledImage) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    TestImage image(4, 256, 256);
    std::unique_ptr<Session> session = Open(&image);
    image.header()->ring_count = 4;
    auto* words = reinterpret_cast<uint64_t*>(image.base());
    const size_t first = offsetof(ImageHeader, ring_count) / 8;
    const size_t count = image.bytes() / 8;
    uint64_t now = Monotonic();
    for (int round = 0; round < 30; ++round) {
      for (int i = 0; i < 200; ++i) {
        uint64_t value = random();
        if (i % 2 == 0) value &= 0xffff;  // plausible small numbers
        words[first + random() % (count - first)] = value;
      }
      // Heads that are possible, over rings full of noise that mostly decodes.
      for (uint32_t ring = 0; ring < 4; ++ring) {
        RingSlot* slot = image.slot(ring);
        for (int i = 0; i < 100 && seed % 3 != 0; ++i) {
          const uint64_t r = random();
          image.ring_data(ring)[r % 256] = (r & ~uint64_t{7}) | (1 + (r >> 32) % 7);
        }
        if (seed % 2 == 0) slot->head = slot->tail + random() % 257;
      }
      session->Drain();
      session->Tick(now += kSecond / 3);
    }
    ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());
    const ReadTrace t = Read();
    ASSERT_EQ(t.error, "");
    ASSERT_TRUE(t.trailer);
  }
}

// A node whose callers go round in a circle, or point nowhere.
TEST_F(HostileImageTest, CyclicStacks) {
  TestImage image;
  std::unique_ptr<Session> session = Open(&image);
  const uint64_t t0 = ReadStamp(true);
  RecordWriter& a = image.OpenRing(1, t0);
  image.nodes()[10] = {1, 11, kNoModule};
  image.nodes()[11] = {2, 10, kNoModule};
  image.nodes()[12] = {3, 12, kNoModule};
  image.nodes()[13] = {4, 0xffffffff, 77};
  const uint32_t ids[] = {10, 11, 12, 13, 4095, 4096, (1u << kStackBits) - 1};
  for (const uint32_t id : ids) {
    a.Block(RecordKind::kAlloc, t0, 0x10000 + 16 * id, id, 1);
  }
  a.Publish();
  ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());
  const ReadTrace t = Read();
  EXPECT_EQ(t.error, "");
  EXPECT_EQ(t.events.size(), 7u);
  EXPECT_EQ(t.summary->loss.truncated_stacks, 7u);
}

// Stamps of a scribbled ring lie in the future: its program must not wait for
// them, and no other time may suffer.
TEST_F(HostileImageTest, AbsurdStamps) {
  TestImage image(2, 64);
  std::unique_ptr<Session> session = Open(&image);
  RecordWriter& a = image.OpenRing(1, ReadStamp(true));
  RecordWriter& b = image.OpenRing(2, ReadStamp(true));
  b.Time((uint64_t{1} << 61) - 1);
  for (int i = 0; i < 1000; ++i) {
    for (int rounds = 0; rounds < 1'000'000 && !b.HasRoom(); ++rounds)
      session->Drain();
    ASSERT_TRUE(b.HasRoom()) << "its program would stand still";
    b.Unstamped(RecordKind::kFree, 0x50);
    b.Publish();
  }
  for (int i = 0; i < 1000; ++i) {
    while (!a.HasRoom()) session->Drain();
    a.Address(RecordKind::kFree, ReadStamp(true), 0x100);
    a.Publish();
  }
  ASSERT_TRUE(session->Finish(EndReason::kExited, 0, 0).ok());
  const ReadTrace t = Read();
  EXPECT_EQ(t.error, "");
  EXPECT_EQ(t.events.size(), 2000u);
  EXPECT_LT(t.events.back().time_ns, 60 * kSecond);
}

}  // namespace
}  // namespace mallogram
