// The orderer on streams made by hand. Events are noted as text: "+s.a" block
// number s allocated by stream a, "-s.a" freed, "~s.a" moved, "?a" unknown free.
#include "preload/collector/order.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/collector/rings.h"

namespace mallogram {
namespace {

using enum RecordKind;

class Notes {
 public:
  uint32_t Allocate(uint32_t stream, const Record& record) {
    Note("+", next_, stream);
    last_stamp = record.stamp;
    last_size = record.size;
    return next_++;
  }
  void Free(uint32_t stream, uint32_t slot, uint64_t stamp) {
    Note("-", slot, stream);
    last_stamp = stamp;
  }
  uint32_t Move(uint32_t stream, uint32_t slot, const Record& end) {
    Note("~", slot, stream);
    last_stamp = end.stamp;
    return slot;
  }
  void FreeUnknown(uint32_t stream, uint64_t, uint64_t) {
    absl::StrAppend(&text, " ?", stream);
  }
  void Lose(uint32_t stream, const Record& record) {
    absl::StrAppend(&text, " L", stream, ":", record.count, ":", record.size);
  }
  void Mark(uint32_t stream, const Record& record) {
    absl::StrAppend(&text, " M", stream, ":", record.address, ":", record.size, ":",
                    record.count);
  }
  void Note(uint32_t, uint32_t, const Record&) {}
  void StartThread(uint32_t stream, int64_t tid, uint64_t) {
    absl::StrAppend(&text, " T", stream, ":", tid);
  }

  void Prefetch(uint32_t) const {}
  void PrefetchMore(uint32_t) const {}

  std::string text;
  uint64_t last_stamp = 0, last_size = 0;

 private:
  void Note(const char* what, uint32_t slot, uint32_t stream) {
    absl::StrAppend(&text, " ", what, slot, ".", stream);
  }
  uint32_t next_ = 0;
};

constexpr uint64_t kX = 0x1000, kY = 0x2000;
constexpr uint32_t kStack = 5;

class OrderTest : public testing::Test {
 protected:
  explicit OrderTest(int streams = 3) {
    for (int i = 0; i < streams; ++i) {
      rings_.emplace_back();
      orderer_.AddStream(rings_.back().slot.get(), rings_.back().data.get(),
                         rings_.back().words);
    }
  }
  RecordWriter& ring(int i) { return rings_[i].writer; }
  void Alloc(int stream, uint64_t stamp, uint64_t address) {
    ring(stream).Block(kAlloc, stamp, address, kStack, 16);
    ring(stream).Publish();
  }
  void Free(int stream, uint64_t stamp, uint64_t address) {
    ring(stream).Address(kFree, stamp, address);
    ring(stream).Publish();
  }
  void MoveBegin(int stream, uint64_t stamp, uint64_t address) {
    ring(stream).Address(kMoveBegin, stamp, address);
    ring(stream).Publish();
  }
  void MoveEnd(int stream, uint64_t stamp, uint64_t address) {
    ring(stream).Block(kMoveEnd, stamp, address, kStack, 32);
    ring(stream).Publish();
  }
  // Everything stamped up to `horizon`; what it came to.
  std::string Round(uint64_t horizon = Orderer<Notes>::kNoHorizon,
                    bool alone = false) {
    notes_.text.clear();
    orderer_.Refresh();
    orderer_.Process(horizon, alone);
    return notes_.text;
  }

  Notes notes_;
  Orderer<Notes> orderer_{&notes_};
  std::deque<TestRing> rings_;
};

class AloneTest : public OrderTest {
 protected:
  AloneTest() : OrderTest(1) {}
};

TEST_F(AloneTest, NothingWaits) {
  Alloc(0, 100, kX);
  Free(0, 200, kY);  // never seen
  Free(0, 300, kX);
  Alloc(0, 400, kX);
  Alloc(0, 500, kX);  // its free was never seen
  EXPECT_EQ(Round(0, /*alone=*/true), " +0.0 ?0 -0.0 +1.0 -1.0 +2.0");
  EXPECT_EQ(orderer_.violations(), 1u);
  EXPECT_FALSE(orderer_.HasWork());
}

TEST_F(AloneTest, WideRecordsAndStamps) {
  ring(0).Thread(77, 1000);
  ring(0).Block(kAlloc, 2000, 0x1004, kStack, 8);  // odd address
  ring(0).Block(kAlloc, 3000, uint64_t{1} << 50, kStack, uint64_t{1} << 40);
  ring(0).Publish();
  EXPECT_EQ(Round(0, true), " T0:77 +0.0 +1.0");
  EXPECT_EQ(notes_.last_stamp, 3000u);
  EXPECT_EQ(notes_.last_size, uint64_t{1} << 40);
  // 8-byte neighbours are different blocks.
  Alloc(0, 4000, 0x1000);
  Free(0, 4100, 0x1004);
  Free(0, 4200, 0x1000);
  EXPECT_EQ(Round(0, true), " +2.0 -0.0 -2.0");
  ring(0).Put(PackExtended(Extended::kLost));
  for (const uint64_t word : {uint64_t{kStack}, uint64_t{3}, uint64_t{300}}) {
    ring(0).Put(word);
  }
  ring(0).Put(PackExtended(static_cast<Extended>(30), 3));  // a later version's
  ring(0).Put(~uint64_t{0});
  ring(0).Put(~uint64_t{0});
  ring(0).Publish();
  EXPECT_EQ(Round(0, true), " L0:3:300");
}

TEST_F(AloneTest, FailedAndAbandonedMoves) {
  Alloc(0, 100, kX);
  MoveBegin(0, 200, kX);
  ring(0).Address(kMoveFail, 300, kX);
  ring(0).Publish();
  Free(0, 400, kX);
  EXPECT_EQ(Round(0, true), " +0.0 -0.0") << "a failed realloc leaves the block";
  // Unknown block: the move frees something never seen and allocates.
  MoveBegin(0, 500, kX);
  MoveEnd(0, 600, kY);
  EXPECT_EQ(Round(0, true), " ?0 +1.0");
  // An unknown block whose realloc fails is not freed at all.
  MoveBegin(0, 700, kX);
  ring(0).Address(kMoveFail, 800, kX);
  ring(0).Publish();
  EXPECT_EQ(Round(0, true), "");
  EXPECT_EQ(orderer_.violations(), 0u);
  // Left by a longjmp.
  MoveBegin(0, 900, kY);
  MoveBegin(0, 1000, kX);
  MoveEnd(0, 1100, kX);
  EXPECT_EQ(Round(0, true), " -1.0 ?0 +2.0");
  EXPECT_EQ(orderer_.violations(), 1u);
}

TEST_F(OrderTest, StampsDecide) {
  Alloc(0, 100, kX);
  Free(1, 200, kX);
  Alloc(2, 300, kX);
  Free(0, 400, kX);
  Alloc(1, 500, kX);
  EXPECT_EQ(Round(), " +0.0 -0.1 +1.2 -1.0 +2.1");
  EXPECT_EQ(orderer_.violations(), 0u);
}

TEST_F(OrderTest, HorizonHoldsBack) {
  Alloc(0, 100, kX);
  Alloc(1, 5000, kY);
  Free(0, 6000, kX);
  EXPECT_EQ(Round(4000), " +0.0");
  EXPECT_TRUE(orderer_.HasWork());
  EXPECT_EQ(Round(5500), " +1.1");
  // What the first rounds had decoded but not processed is older than this.
  Alloc(2, 5600, 0x3000);
  EXPECT_EQ(Round(7000), " +2.2 -0.0");
  EXPECT_FALSE(orderer_.HasWork());
}

// Skew: stream 1's clock is ahead, so its allocation seems to come after the
// free of the same block in stream 0.
TEST_F(OrderTest, FreeWaitsForSkewedAllocation) {
  Free(0, 100, kX);
  Alloc(0, 110, kY);
  Alloc(1, 140, kX);
  Free(2, 150, kY);
  EXPECT_EQ(Round(), " +0.1 -0.0 +1.0 -1.2");
  EXPECT_EQ(orderer_.violations(), 0u);
}

// The same address changes hands quickly, each stamp a little wrong.
TEST_F(OrderTest, AddressReusedUnderSkew) {
  Alloc(0, 100, kX);
  Alloc(1, 118, kX);  // truly after 0's free
  Free(0, 120, kX);
  Alloc(2, 139, kX);  // truly after 1's free
  Free(1, 141, kX);
  Free(2, 150, kX);
  EXPECT_EQ(Round(), " +0.0 -0.0 +1.1 -1.1 +2.2 -2.2");
  EXPECT_EQ(orderer_.violations(), 0u);
}

// The new owner's own free may not be taken for the missing one.
TEST_F(OrderTest, WaitingAllocationHoldsItsOwnFreeBack) {
  Alloc(0, 100, kX);
  Alloc(1, 110, kX);
  Free(1, 111, kX);
  Free(0, 120, kX);
  EXPECT_EQ(Round(), " +0.0 -0.0 +1.1 -1.1");
}

TEST_F(OrderTest, WaitsAcrossRoundsUntilPatienceEnds) {
  Free(0, 1000, kX);
  Alloc(0, 1001, kY);
  EXPECT_EQ(Round(2000), "") << "its allocation may be in the next round";
  Alloc(1, 1010, kX);
  EXPECT_EQ(Round(3000), " +0.1 -0.0 +1.0");

  Free(0, 10'000, 0x7000);
  Alloc(0, 10'001, 0x7008);
  Alloc(1, 10'002, 0x7010);
  EXPECT_EQ(Round(10'000 + Orderer<Notes>::kFreePatience - 10), " +2.1")
      << "others go on meanwhile";
  EXPECT_EQ(Round(10'000 + Orderer<Notes>::kFreePatience + 10), " ?0 +3.0");
  EXPECT_EQ(orderer_.violations(), 0u) << "an unknown free is no violation";
}

TEST_F(OrderTest, MissingFreeIsAViolation) {
  Alloc(0, 100, kX);
  Alloc(1, 200, kX);
  EXPECT_EQ(Round(200 + Orderer<Notes>::kAllocPatience - 10), " +0.0");
  EXPECT_EQ(Round(200 + Orderer<Notes>::kAllocPatience + 10), " -0.1 +1.1");
  EXPECT_EQ(orderer_.violations(), 1u);
  Free(2, 300 + Orderer<Notes>::kAllocPatience, kX);
  EXPECT_EQ(Round(), " -1.2") << "the address is the new block's";
}

// Two streams that wait for unknown partners do not hold up a third's good one.
TEST_F(OrderTest, WaitingStreamsBehindOneAnother) {
  Free(0, 10'000, 0x7000);  // unknown
  Alloc(0, 10'010, kX);
  Free(1, 20'000, 0x7008);  // unknown
  Alloc(1, 20'010, kY);
  Free(2, 10'011, kX);
  Free(2, 20'011, kY);
  EXPECT_EQ(Round(), " ?0 +0.0 -0.2 ?1 +1.1 -1.2");
  EXPECT_EQ(orderer_.violations(), 0u);
}

// The same, where skew makes the one that waits for the other the older one.
TEST_F(OrderTest, PatienceForAStreamThatWaitsItself) {
  Free(0, 115, 0x7000);  // unknown
  Alloc(0, 116, kX);
  Free(2, 111, kX);
  EXPECT_EQ(Round(), " ?0 +0.0 -0.2");
  EXPECT_EQ(orderer_.violations(), 0u);
}

// The race that single-phase tracers lose: stream 0 moves X away, stream 1 is given
// X before the realloc has returned.
TEST_F(OrderTest, MoveDoesNotSwallowTheNextOwner) {
  Alloc(0, 100, kX);
  MoveBegin(0, 200, kX);
  Alloc(1, 300, kX);
  MoveEnd(0, 400, kY);
  Free(1, 500, kX);
  Free(0, 600, kY);
  EXPECT_EQ(Round(), " +0.0 +1.1 ~0.0 -1.1 -0.0");
  EXPECT_EQ(orderer_.violations(), 0u);
}

// Two moves exchange addresses, and the stamps lie a little about it.
TEST_F(OrderTest, MovesThatTradePlaces) {
  Alloc(0, 100, kX);
  Alloc(1, 110, kY);
  MoveBegin(0, 200, kX);
  MoveEnd(0, 209, kY);  // truly after 1's begin
  MoveBegin(1, 210, kY);
  MoveEnd(1, 215, kX);
  Free(0, 220, kY);
  Free(1, 225, kX);
  EXPECT_EQ(Round(), " +0.0 +1.1 ~0.0 ~1.1 -0.0 -1.1");
  EXPECT_EQ(orderer_.violations(), 0u);
}

TEST_F(OrderTest, MoveEndWaitsForItsAddress) {
  Alloc(0, 100, kX);
  Alloc(1, 110, kY);
  MoveBegin(0, 200, kX);
  MoveEnd(0, 300, kY);
  Free(1, 303, kY);  // truly before
  EXPECT_EQ(Round(), " +0.0 +1.1 -1.1 ~0.0");
  EXPECT_EQ(orderer_.violations(), 0u);
}

TEST_F(OrderTest, LateStreamComesWhenItComes) {
  Alloc(0, 100, kX);
  Free(0, 900, kX);
  EXPECT_EQ(Round(1000), " +0.0 -0.0");
  Alloc(1, 500, kX);  // stamped long ago, published now
  Free(1, 1100, kX);
  EXPECT_EQ(Round(1200), " +1.1 -1.1");
  EXPECT_EQ(orderer_.violations(), 0u);
}

TEST_F(OrderTest, StampsNeverFallWithinAStream) {
  Alloc(0, 1000, kX);
  ring(0).Time(400);  // moved to a CPU whose clock lags
  Free(0, 404, kX);
  Alloc(1, 600, kY);
  EXPECT_EQ(Round(), " +0.1 +1.0 -1.0");
  EXPECT_EQ(notes_.last_stamp, 1000u);
  // Its clock is behind, not ahead for good: 1100 is 1100.
  Alloc(0, 1100, kX);
  Alloc(1, 1050, 0x3000);
  EXPECT_EQ(Round(), " +2.1 +3.0");
  EXPECT_EQ(notes_.last_stamp, 1100u);
}

TEST_F(OrderTest, DamageIsConfinedToItsStream) {
  Alloc(0, 100, kX);
  ring(0).Put(0);  // starts no record
  Alloc(0, 110, kX);
  Alloc(1, 120, kY);
  EXPECT_EQ(Round(), " +0.0 +1.1");
  EXPECT_EQ(orderer_.damaged_streams(), 1u);
  // What comes later is thrown away, and the producer gets its room back.
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 200; ++j) ring(0).Put(7);
    ring(0).Publish();
    EXPECT_EQ(Round(), "");
    EXPECT_TRUE(ring(0).HasRoom());
    EXPECT_FALSE(orderer_.HasWork());
  }
  // An impossible head, a record cut by the head, a length beyond all records.
  rings_[1].slot->head.store(1'000'000);
  EXPECT_EQ(Round(), "");
  EXPECT_EQ(orderer_.damaged_streams(), 2u);
  ring(2).Put(PackWord0(kAlloc, 0, kX));
  ring(2).Publish();
  EXPECT_EQ(Round(), "");
  EXPECT_EQ(orderer_.damaged_streams(), 3u);
}

// More records than a batch or the ring holds, in step.
TEST_F(OrderTest, LongStreamsWrap) {
  uint64_t stamp = 1000;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 40; ++i) {
      for (int stream = 0; stream < 3; ++stream) {
        Alloc(stream, stamp += 10, kX);
        Free((stream + 1) % 3, stamp += 10, kX);
      }
    }
    Round();
  }
  EXPECT_EQ(orderer_.violations(), 0u);
  EXPECT_EQ(orderer_.live_blocks(), 0u);
  EXPECT_EQ(orderer_.records(), 50u * 40 * 3 * 2);
}

}  // namespace
}  // namespace mallogram
