// Every idiom by which a pointer into the middle of a block counts, and its near
// misses; and what a scan must not stumble over.
#include <gtest/gtest.h>

#include "tests/collector/leaks/made_heap.h"

namespace mallogram::leaks {
namespace {

constexpr uint64_t kBlock = 0x7f0000001000;
constexpr uint64_t kData = 0x500000, kCode = 0x400000;

class IdiomsTest : public testing::Test {
 protected:
  IdiomsTest() {
    heap_.facts.constant_start = kData;
    heap_.facts.constant_end = kData + 0x1000;
    heap_.facts.code_start = kCode;
    heap_.facts.code_end = kCode + 0x1000;
    heap_.memory.Add(kData, 0x1000);
    // Two vtables, and constant data that is none.
    heap_.memory.Put(kData + 0x100, kCode + 16);
    heap_.memory.Put(kData + 0x200, 0);  // a pure virtual function first
    heap_.memory.Put(kData + 0x208, kCode + 32);
    heap_.memory.Put(kData + 0x300, kData + 0x100);
  }
  // The block of `size` bytes with these first words, held by a pointer to
  // `offset`.
  LeakGroup Hold(uint64_t size, uint64_t offset, std::vector<uint64_t> words,
                 uint64_t block = kBlock) {
    heap_.memory.Add(block & ~uint64_t{4095}, 8192);  // memory comes in pages
    heap_.Add(block, size);
    for (size_t i = 0; i < words.size(); ++i)
      heap_.memory.Put(block + 8 * i, words[i]);
    heap_.Root(3, block + offset);
    LeakScan scan(&heap_.input);
    scan.Run();
    LeakCheck check;
    scan.Fill(&check);
    EXPECT_EQ(check.groups.size(), 1u);
    return check.groups.at(0);
  }
  void Expect(const LeakGroup& group, PointerIdiom idiom) {
    EXPECT_EQ(group.idiom, idiom);
    EXPECT_EQ(group.kind, idiom == PointerIdiom::kInterior ? LeakClass::kPossible
                                                           : LeakClass::kReachable);
    EXPECT_EQ(group.root.kind, RootKind::kGlobal);
    EXPECT_EQ(group.root.module, 7u);
    EXPECT_EQ(group.root.address, MadeHeap::kRoots + 24 - 0x8000);
  }
  MadeHeap heap_;
};

TEST_F(IdiomsTest, ArrayCookie) {
  Expect(Hold(8 + 5 * 12, 8, {5}), PointerIdiom::kArrayCookie);
}
TEST_F(IdiomsTest, ArrayCookieThatDoesNotDivide) {
  Expect(Hold(8 + 5 * 12 + 1, 8, {5}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, ArrayCookieOfNothing) {
  Expect(Hold(100, 8, {0}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, ArrayCookieElsewhere) {
  Expect(Hold(8 + 5 * 16, 24, {5}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, ArrayOfOneIsBelievedOnlyOfNew) {
  Expect(Hold(108, 8, {1}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, ArrayOfOneByNew) {
  heap_.facts.array_new = MadeByArrayNew::kYes;
  Expect(Hold(108, 8, {1}), PointerIdiom::kArrayCookie);
}
TEST_F(IdiomsTest, MallocHasNoCookie) {
  heap_.facts.array_new = MadeByArrayNew::kNo;
  Expect(Hold(8 + 5 * 12, 8, {5}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, AlignedArrayCookie) {
  Expect(Hold(16 + 3 * 32, 16, {0, 3}), PointerIdiom::kArrayCookie);
}
TEST_F(IdiomsTest, AlignedArrayCookieOfUnalignedElements) {
  Expect(Hold(16 + 3 * 8, 16, {0, 3}), PointerIdiom::kInterior);
}

TEST_F(IdiomsTest, SecondBase) {
  Expect(Hold(64, 16, {kData + 0x100, 5, kData + 0x200}),
         PointerIdiom::kSecondBase);
}
TEST_F(IdiomsTest, SecondBaseWithoutVtable) {
  Expect(Hold(64, 16, {kData + 0x100, 5, 77}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, FirstBaseWithoutVtable) {
  Expect(Hold(64, 16, {kData + 0x300, 5, kData + 0x200}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, VtablesInWritableMemory) {
  heap_.facts.constant_end = heap_.facts.constant_start;
  Expect(Hold(64, 16, {kData + 0x100, 5, kData + 0x200}), PointerIdiom::kInterior);
}

TEST_F(IdiomsTest, SharedString) {
  Expect(Hold(24 + 30 + 1, 24, {12, 30, 0}), PointerIdiom::kSharedString);
}
TEST_F(IdiomsTest, SharedStringThatIsLongerThanItsCapacity) {
  Expect(Hold(24 + 30 + 1, 24, {31, 30, 0}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, SharedStringOfAnotherSize) {
  Expect(Hold(24 + 30 + 2, 24, {12, 30, 0}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, SharedStringOfTooManyReferences) {
  Expect(Hold(24 + 30 + 1, 24, {12, 30, 0x7fffffff}), PointerIdiom::kInterior);
}

TEST_F(IdiomsTest, Length) { Expect(Hold(108, 8, {100}), PointerIdiom::kLength); }
TEST_F(IdiomsTest, WrongLength) {
  Expect(Hold(108, 8, {99}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, LengthBeforeSomethingElse) {
  Expect(Hold(108, 16, {100, 100}), PointerIdiom::kInterior);
}

TEST_F(IdiomsTest, AlignedWithStartBefore) {
  Expect(Hold(500, 0x40 - 0x10, {0, 0, 0, 0, 0, kBlock + 0x10}, kBlock + 0x10),
         PointerIdiom::kAligned);
}
TEST_F(IdiomsTest, AlignedWithAnotherStartBefore) {
  Expect(Hold(500, 0x40 - 0x10, {0, 0, 0, 0, 0, kBlock}, kBlock + 0x10),
         PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, AlignedWithDistanceBefore) {
  Expect(Hold(500, 0x30, {0, 0, 0, 0, 0, 0x30}, kBlock + 0x10),
         PointerIdiom::kAligned);
}
TEST_F(IdiomsTest, AlignedWithDistanceInAByte) {
  Expect(Hold(500, 0x30, {0, 0, 0, 0, 0, uint64_t{0x30} << 56}, kBlock + 0x10),
         PointerIdiom::kAligned);
}
TEST_F(IdiomsTest, DistancesBeforeWhatMallocAlignsToo) {
  Expect(Hold(500, 0x10, {0, 0x10}, kBlock + 0x100 - 0x10 + 0x10),
         PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, OddPointer) {
  Expect(Hold(108, 9, {100}), PointerIdiom::kInterior);
}

TEST_F(IdiomsTest, OnePastTheEndIsOutside) {
  const LeakGroup group = Hold(64, 64, {});
  EXPECT_EQ(group.kind, LeakClass::kDefinite);
  EXPECT_EQ(group.root.kind, RootKind::kNone);
}
TEST_F(IdiomsTest, BlocksOfNoSizeAreMetAtTheirStart) {
  Expect(Hold(0, 0, {}), PointerIdiom::kStart);
}
TEST_F(IdiomsTest, TheAllocatorsPointersToFreeChunksHoldNothing) {
  heap_.input.ranges[0].allocator = true;
  EXPECT_EQ(Hold(40, 32, {}).kind, LeakClass::kDefinite);
}
TEST_F(IdiomsTest, TheSamePointerOfAProgramDoes) {
  Expect(Hold(40, 32, {}), PointerIdiom::kInterior);
}
TEST_F(IdiomsTest, TheAllocatorsOtherPointersHold) {
  heap_.input.ranges[0].allocator = true;
  Expect(Hold(48, 32, {}), PointerIdiom::kInterior);
}

// The words that are whole and aligned in a block, and no others.
TEST_F(IdiomsTest, WordsAtTheEdges) {
  const auto target = [this](uint64_t address) {
    return heap_.AddBlock(address, 16, 5);
  };
  heap_.memory.Add(0x7f1000000000, 0x100);
  const uint32_t odd = heap_.Add(0x7f1000000004, 24);  // words at 8 and 16
  const uint32_t before = target(0x7f2000000000), first = target(0x7f2000001000),
                 second = target(0x7f2000002000), after = target(0x7f2000003000);
  heap_.memory.Put(0x7f1000000000, 0x7f2000000000);
  heap_.memory.Put(0x7f1000000008, 0x7f2000001000);
  heap_.memory.Put(0x7f1000000010, 0x7f2000002000);
  heap_.memory.Put(0x7f1000000018, 0x7f2000003000);
  heap_.Root(0, 0x7f1000000004);
  LeakScan scan(&heap_.input);
  scan.Run();
  EXPECT_EQ(scan.ClassOf(odd), LeakClass::kReachable);
  EXPECT_EQ(scan.ClassOf(before), LeakClass::kDefinite);
  EXPECT_EQ(scan.ClassOf(first), LeakClass::kReachable);
  EXPECT_EQ(scan.ClassOf(second), LeakClass::kReachable);
  EXPECT_EQ(scan.ClassOf(after), LeakClass::kDefinite);
}

TEST_F(IdiomsTest, LongListsAreFoldedAndOthersCut) {
  // Ten in a row of one site, then thirty of alternating sites.
  constexpr int kNodes = 40;
  for (uint64_t i = 0; i < kNodes; ++i) {
    const uint64_t block = kBlock + i * 0x2000;  // pages with holes between them
    heap_.memory.Add(block, 0x1000);
    heap_.Add(block, 32, i < 10 ? 9 : static_cast<uint32_t>(20 + i));
    if (i + 1 < kNodes) heap_.memory.Put(block + 16, block + 0x2000);
  }
  heap_.Root(0, kBlock);
  LeakScan scan(&heap_.input);
  scan.Run();
  LeakCheck check;
  scan.Fill(&check);
  for (const LeakGroup& group : check.groups) {
    if (group.stack != 20 + kNodes - 1) continue;
    ASSERT_EQ(group.way.size(), kMaxWay);
    EXPECT_EQ(group.way[0].stack, 9u);
    EXPECT_EQ(group.way[0].repeats, 10u);
    EXPECT_EQ(group.way[0].offset, 16u);
    EXPECT_EQ(group.way[1].stack, 30u);
    EXPECT_EQ(group.way[7].stack, 36u);
    EXPECT_EQ(group.way[8].stack, 51u);
    EXPECT_EQ(group.way[15].stack, 58u);
    EXPECT_EQ(group.way_cut, 14u);
    return;
  }
  FAIL();
}

// Words that point everywhere, blocks where no memory is, sizes that can't be.
TEST_F(IdiomsTest, HostileContents) {
  heap_.Add(0, 100);
  heap_.Add(0x10, UINT64_MAX >> 3);
  heap_.Add(0xfffffffffffff000, 8192);
  heap_.Add(0x123456789000, uint64_t{1} << 40);
  const uint32_t block = heap_.AddBlock(kBlock, 4096);
  uint64_t word = 1;
  for (uint64_t i = 0; i < 512; ++i) {
    word = word * 6364136223846793005u + 1442695040888963407u;
    heap_.memory.Put(kBlock + 8 * i, i % 3 == 0 ? word : word >> (i % 64));
  }
  heap_.Root(0, kBlock);
  heap_.input.ranges.push_back({UINT64_MAX - 100, UINT64_MAX});
  heap_.input.ranges.push_back({500, 100});
  heap_.input.inherited = {{0, UINT64_MAX}, {UINT64_MAX, 1}};
  heap_.input.ignored = {12345, UINT32_MAX};
  LeakScan scan(&heap_.input);
  scan.Run();
  LeakCheck check;
  scan.Fill(&check);
  EXPECT_EQ(scan.ClassOf(block), LeakClass::kReachable);
}

}  // namespace
}  // namespace mallogram::leaks
