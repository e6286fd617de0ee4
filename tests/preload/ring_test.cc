// preload/ring.h: the guarantees at the head of that file, one by one, on a
// single thread (ring_stress.cc has the two-thread part, ring.pml the proof).

#include "preload/ring.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace mallogram {
namespace {

constexpr uint32_t kWords = 16;

// A ring in private memory whose positions start at `start`, with both ends.
class TestRing {
 public:
  explicit TestRing(uint64_t start = 0, uint32_t words = kWords)
      : words_(words), data_(words, ~uint64_t{0}) {
    slot_.head.store(start);
    slot_.tail.store(start);
    NewOwner();
    reader.Attach(&slot_, data_.data(), words);
  }

  void NewOwner() { writer.Attach(&slot_, data_.data(), words_); }

  // One record of `words` words numbered value, value + 1 …
  bool Write(uint64_t value, uint32_t words) {
    if (!writer.Reserve(words)) return false;
    for (uint32_t i = 0; i < words; ++i) writer.Put(value + i);
    writer.Publish();
    return true;
  }

  // Everything readable, consumed and released.
  std::vector<uint64_t> ReadAll() {
    std::vector<uint64_t> result;
    reader.Refresh();
    while (reader.available() > 0) {
      result.push_back(reader.Peek());
      reader.Skip(1);
    }
    reader.Release();
    return result;
  }

  RingSlot& slot() { return slot_; }

  RingWriter writer{};
  RingReader reader;

 private:
  uint32_t words_;
  RingSlot slot_{};
  std::vector<uint64_t> data_;
};

TEST(Ring, EmptyHasNothingToRead) {
  TestRing ring;
  EXPECT_EQ(ring.reader.Refresh(), 0u);
  EXPECT_EQ(ring.reader.available(), 0u);
  EXPECT_FALSE(ring.reader.damaged());
}

TEST(Ring, RecordIsSeenOnlyWhenPublished) {
  TestRing ring;
  ASSERT_TRUE(ring.writer.Reserve(2));
  ring.writer.Put(1);
  EXPECT_EQ(ring.reader.Refresh(), 0u);
  ring.writer.Put(2);
  EXPECT_EQ(ring.reader.Refresh(), 0u);
  ring.writer.Publish();
  EXPECT_EQ(ring.reader.Refresh(), 2u);
  EXPECT_EQ(ring.reader.Peek(0), 1u);
  EXPECT_EQ(ring.reader.Peek(1), 2u);
}

TEST(Ring, AvailableIsWhatTheLastRefreshSaw) {
  TestRing ring;
  ASSERT_TRUE(ring.Write(1, 2));
  ring.reader.Refresh();
  ASSERT_TRUE(ring.Write(3, 2));
  EXPECT_EQ(ring.reader.available(), 2u);
  EXPECT_EQ(ring.reader.Refresh(), 4u);
}

TEST(Ring, HoldsExactlyItsCapacity) {
  TestRing ring;
  ASSERT_TRUE(ring.Write(100, kWords));
  EXPECT_FALSE(ring.writer.Reserve(1)) << "one word more than the ring holds";
  EXPECT_EQ(ring.reader.Refresh(), kWords);
  EXPECT_FALSE(ring.reader.damaged()) << "a full ring is not damage";
  for (uint64_t i = 0; i < kWords; ++i) EXPECT_EQ(ring.reader.Peek(i), 100 + i);
}

TEST(Ring, RoomComesBackOnRelease) {
  TestRing ring;
  ASSERT_TRUE(ring.Write(0, kWords));
  ring.reader.Refresh();
  ring.reader.Skip(3);
  EXPECT_FALSE(ring.writer.Reserve(1)) << "skipped words are not released yet";
  ring.reader.Release();
  EXPECT_TRUE(ring.writer.Reserve(3));
  EXPECT_FALSE(ring.writer.Reserve(4));
}

TEST(Ring, FreesFindRoomThatAllocationsMayNotUse) {
  TestRing ring;
  const uint32_t keep = ring.writer.reserved_for_frees();
  ASSERT_GT(keep, 0u);
  ASSERT_LT(keep, kWords);
  uint32_t written = 0;
  while (ring.writer.Reserve(1, keep)) {
    ring.writer.Put(written++);
    ring.writer.Publish();
  }
  EXPECT_EQ(written, kWords - keep);
  for (uint32_t i = 0; i < keep; ++i) EXPECT_TRUE(ring.Write(written + i, 1));
  EXPECT_FALSE(ring.writer.Reserve(1));
  EXPECT_EQ(ring.ReadAll().size(), kWords);
}

// Every record length at every offset, so that each word of a record is once
// the one behind the seam; also across 2^32, where a 32-bit position would wrap.
TEST(Ring, RecordsWrapAtEveryOffset) {
  for (const uint64_t start : {uint64_t{0}, (uint64_t{1} << 32) - kWords}) {
    for (uint32_t offset = 0; offset < 2 * kWords; ++offset) {
      for (uint32_t words = 1; words <= kMaxRecordWords; ++words) {
        TestRing ring(start + offset);
        std::vector<uint64_t> expected, seen;
        for (uint64_t record = 0; record < 3 * kWords; ++record) {
          ASSERT_TRUE(ring.Write(record * 10, words));
          for (uint32_t i = 0; i < words; ++i) expected.push_back(record * 10 + i);
          if (record % 3 == 2) {
            for (const uint64_t word : ring.ReadAll()) seen.push_back(word);
          }
        }
        ASSERT_EQ(seen, expected) << "offset " << offset << ", words " << words;
      }
    }
  }
}

TEST(Ring, UnpublishedWordsOfADeadProducerAreNeverSeen) {
  TestRing ring;
  ASSERT_TRUE(ring.Write(1, 2));
  ASSERT_TRUE(ring.writer.Reserve(4));
  ring.writer.Put(666);
  ring.writer.Put(667);  // dies here, two of four words written
  EXPECT_EQ(ring.ReadAll(), (std::vector<uint64_t>{1, 2}));

  ring.NewOwner();
  EXPECT_EQ(ring.writer.head(), 2u) << "the next owner goes on at the shared head";
  EXPECT_EQ(ring.ReadAll(), std::vector<uint64_t>{});
  ASSERT_TRUE(ring.Write(3, 3));
  EXPECT_EQ(ring.ReadAll(), (std::vector<uint64_t>{3, 4, 5}));
}

TEST(Ring, NextOwnerRespectsWhatIsStillUnread) {
  TestRing ring;
  ASSERT_TRUE(ring.Write(0, kWords - 3));
  ring.reader.Refresh();
  ring.reader.Skip(2);
  ring.reader.Release();
  ring.NewOwner();
  EXPECT_FALSE(ring.writer.Reserve(6));
  ASSERT_TRUE(ring.Write(kWords - 3, 5));
  const std::vector<uint64_t> seen = ring.ReadAll();
  ASSERT_EQ(seen.size(), kWords);
  for (uint32_t i = 0; i < kWords; ++i) EXPECT_EQ(seen[i], i + 2);
}

TEST(Ring, ImpossibleHeadIsDamageAndNothingIsRead) {
  for (const uint64_t head :
       {uint64_t{kWords + 1 + 40}, uint64_t{39}, ~uint64_t{0}}) {
    TestRing ring(40);
    ring.slot().head.store(head);
    EXPECT_EQ(ring.reader.Refresh(), 0u);
    EXPECT_TRUE(ring.reader.damaged());
    EXPECT_EQ(ring.reader.available(), 0u);
  }
}

TEST(Ring, DamageKeepsWhatWasReadableBefore) {
  TestRing ring;
  ASSERT_TRUE(ring.Write(7, 2));
  ring.reader.Refresh();
  ring.slot().head.store(1000);
  EXPECT_EQ(ring.reader.Refresh(), 2u);
  EXPECT_TRUE(ring.reader.damaged());
  EXPECT_EQ(ring.reader.Peek(1), 8u);
}

// A producer process killed at arbitrary instants: whatever the reader finds is
// a whole prefix of what was written. The producer runs free in between, so the
// kill hits it in the middle of records as well as between them.
TEST(Ring, ProducerKilledAnywhereLeavesAWholePrefix) {
  struct Shared {
    RingSlot slot;
    uint64_t data[kWords];
  };
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* shared = static_cast<Shared*>(memory);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a failed test must not leave it spinning
      RingWriter writer{};
      writer.Attach(&shared->slot, shared->data, kWords);
      for (uint64_t n = 0;; ++n) {
        const auto words = static_cast<uint32_t>(1 + n % kMaxRecordWords);
        while (!writer.Reserve(words)) sched_yield();
        // The first word says how long the record is, all say which one it is.
        for (uint32_t i = 0; i < words; ++i) writer.Put(n << 16 | words << 8 | i);
        writer.Publish();
      }
    }
    ASSERT_GT(child, 0);
    RingReader reader;
    reader.Attach(&shared->slot, shared->data, kWords);
    const uint64_t enough = 50 + static_cast<uint64_t>(round) * 37;
    bool dead = false;
    for (uint64_t n = 0;; ++n) {
      if (n == enough) {
        ASSERT_EQ(kill(child, SIGKILL), 0);
        ASSERT_EQ(waitpid(child, nullptr, 0), child);
        dead = true;
      }
      while (reader.available() == 0 && reader.Refresh() == 0 && !dead)
        sched_yield();
      if (reader.Refresh() == 0) break;
      const uint64_t word = reader.Peek();
      const uint64_t words = (word >> 8) & 255;
      ASSERT_EQ(word >> 16, n) << "round " << round;
      ASSERT_LE(words, reader.available()) << "half a record, round " << round;
      for (uint64_t i = 0; i < words; ++i) {
        ASSERT_EQ(reader.Peek(i), n << 16 | words << 8 | i) << "round " << round;
      }
      reader.Skip(words);
      reader.Release();
    }
    ASSERT_FALSE(reader.damaged());
  }
  munmap(memory, sizeof(Shared));
}

// ---- record grammar -------------------------------------------------------

TEST(RecordGrammar, Word0RoundTrips) {
  for (const uint64_t address : {uint64_t{0}, uint64_t{8}, uint64_t{0x7ffffffffff8},
                                 kMaxInlineAddress - 8}) {
    for (const uint64_t ticks : {uint64_t{0}, uint64_t{1}, kMaxTicks}) {
      const uint64_t word = PackWord0(RecordKind::kFree, ticks, address);
      EXPECT_EQ(KindOf(word), RecordKind::kFree);
      EXPECT_EQ(TicksOf(word), ticks);
      EXPECT_EQ(AddressOf(word), address);
    }
  }
}

TEST(RecordGrammar, StackAndSizeRoundTrip) {
  constexpr uint32_t kMaxStack = (1u << kStackBits) - 1;
  const uint64_t word = PackStackSize(kMaxStack, kMaxInlineSize);
  EXPECT_EQ(word & kMaxStack, kMaxStack);
  EXPECT_EQ(word >> kStackBits, kMaxInlineSize);
  EXPECT_EQ(PackStackSize(5, 0) >> kStackBits, 0u);
}

TEST(RecordGrammar, TimeRoundTrips) {
  constexpr uint64_t kStamp = (uint64_t{1} << 61) - 1;
  EXPECT_EQ(KindOf(PackTime(kStamp)), RecordKind::kTime);
  EXPECT_EQ(StampOf(PackTime(kStamp)), kStamp);
}

TEST(RecordGrammar, LengthsAreKnownFromTheFirstWord) {
  EXPECT_EQ(WordsOf(0), 0u) << "zero memory is not a record";
  EXPECT_EQ(WordsOf(PackWord0(RecordKind::kAlloc, 1, 64)), 2u);
  EXPECT_EQ(WordsOf(PackWord0(RecordKind::kMoveEnd, 1, 64)), 2u);
  EXPECT_EQ(WordsOf(PackWord0(RecordKind::kFree, 1, 64)), 1u);
  EXPECT_EQ(WordsOf(PackWord0(RecordKind::kMoveBegin, 1, 64)), 1u);
  EXPECT_EQ(WordsOf(PackWord0(RecordKind::kMoveFail, 1, 64)), 1u);
  EXPECT_EQ(WordsOf(PackTime(99)), 1u);
  for (uint32_t words = 0; words < 256; ++words) {
    const uint64_t word = PackExtended(Extended::kLost, words);
    EXPECT_EQ(SubtypeOf(word), Extended::kLost);
    EXPECT_EQ(WordsOf(word), words <= kMaxRecordWords ? words : 0u);
  }
}

TEST(RecordGrammar, ExtendedRecordsKnowTheirLength) {
  constexpr uint32_t kLast = static_cast<uint32_t>(Extended::kPoolDestroy);
  for (uint32_t i = 0; i < 32; ++i) {
    const auto subtype = static_cast<Extended>(i);
    const bool exists = i >= 1 && i <= kLast;
    EXPECT_EQ(WordsOf(subtype) != 0, exists) << i;
    EXPECT_LE(WordsOf(subtype), kMaxRecordWords) << i;
    EXPECT_EQ(WordsOf(PackExtended(subtype)), WordsOf(subtype)) << i;
    EXPECT_EQ(SubtypeOf(PackExtended(subtype)), subtype) << i;
  }
}

}  // namespace
}  // namespace mallogram
