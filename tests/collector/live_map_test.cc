// LiveMap against std::unordered_map, over address patterns that heaps make.
#include "preload/collector/live_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

namespace mallogram {
namespace {

TEST(LiveMapTest, KeepsEveryByteOfAPageApart) {
  LiveMap map;
  for (uint32_t i = 0; i < 3 * 4096; ++i) {
    uint32_t* slot = map.Insert(0x7f0000000000 + i);
    ASSERT_NE(slot, nullptr);
    *slot = i;
  }
  for (uint32_t i = 0; i < 3 * 4096; ++i) {
    EXPECT_EQ(map.Find(0x7f0000000000 + i), i);
    EXPECT_EQ(map.Insert(0x7f0000000000 + i), nullptr);
  }
  EXPECT_EQ(map.size(), 3u * 4096);
  for (uint32_t i = 0; i < 3 * 4096; i += 2) {
    EXPECT_EQ(map.Take(0x7f0000000000 + i), i);
  }
  for (uint32_t i = 0; i < 3 * 4096; ++i) {
    EXPECT_EQ(map.Find(0x7f0000000000 + i), i % 2 == 0 ? LiveMap::kNone : i);
  }
}

// Many aligned blocks make a page's node direct, one that is not makes it a hash
// table again; a page that was emptied starts anew.
TEST(LiveMapTest, UnalignedAmongAligned) {
  constexpr uint64_t kPage = 0x7f0000000000;
  LiveMap map;
  for (int round = 0; round < 2; ++round) {
    for (uint32_t i = 0; i < 256; ++i) {
      for (const uint64_t odd : {1u, 8u, 15u}) {
        EXPECT_EQ(map.Find(kPage + 16 * i + odd), LiveMap::kNone);
        EXPECT_EQ(map.Take(kPage + 16 * i + odd), LiveMap::kNone);
      }
      uint32_t* slot = map.Insert(kPage + 16 * i);
      ASSERT_NE(slot, nullptr);
      *slot = i;
    }
    for (uint32_t i = 0; i < 256; ++i) {
      EXPECT_EQ(map.Insert(kPage + 16 * i), nullptr);
      uint32_t* slot = map.Insert(kPage + 16 * i + 8);
      ASSERT_NE(slot, nullptr) << i;
      *slot = 1000 + i;
    }
    EXPECT_EQ(map.size(), 512u);
    for (uint32_t i = 0; i < 256; ++i) {
      EXPECT_EQ(map.Take(kPage + 16 * i), i);
      EXPECT_EQ(map.Take(kPage + 16 * i), LiveMap::kNone);
      EXPECT_EQ(map.Take(kPage + 16 * i + 8), 1000 + i);
    }
    EXPECT_EQ(map.size(), 0u);
  }
}

TEST(LiveMapTest, TakesWhatIsNotThere) {
  LiveMap map;
  EXPECT_EQ(map.Take(16), LiveMap::kNone);
  *map.Insert(16) = 7;
  EXPECT_EQ(map.Take(24), LiveMap::kNone);
  EXPECT_EQ(map.Take(16), 7u);
  EXPECT_EQ(map.Take(16), LiveMap::kNone);
  EXPECT_EQ(map.size(), 0u);
}

// Random inserts and removals: granule and spread decide how full the nodes are.
void Compare(uint64_t granule, uint64_t places, int steps, uint32_t seed) {
  std::mt19937_64 random(seed);
  LiveMap map;
  std::unordered_map<uint64_t, uint32_t> truth;
  for (int i = 0; i < steps; ++i) {
    const uint64_t address = 0x5500000000 + granule * (random() % places);
    const auto found = truth.find(address);
    map.PrefetchPage(address);
    map.PrefetchBlock(address);
    if (random() % 5 < 3) {
      uint32_t* slot = map.Insert(address);
      ASSERT_EQ(slot == nullptr, found != truth.end());
      if (slot != nullptr) truth[address] = *slot = static_cast<uint32_t>(i);
    } else {
      const uint32_t slot = map.Take(address);
      ASSERT_EQ(slot, found == truth.end() ? LiveMap::kNone : found->second);
      if (found != truth.end()) truth.erase(found);
    }
    ASSERT_EQ(map.size(), truth.size());
  }
  for (const auto& [address, slot] : truth) ASSERT_EQ(map.Find(address), slot);
}

TEST(LiveMapTest, DenseSmallBlocks) { Compare(8, 20'000, 300'000, 1); }
TEST(LiveMapTest, SmallBlocks) { Compare(48, 20'000, 300'000, 5); }
TEST(LiveMapTest, UnalignedBlocks) { Compare(1, 3'000, 200'000, 2); }
TEST(LiveMapTest, ScatteredLargeBlocks) { Compare(65'536, 50'000, 300'000, 3); }
TEST(LiveMapTest, MixedBlocks) { Compare(208, 100'000, 300'000, 4); }

TEST(LiveMapTest, PagesThatEmptyAreForgotten) {
  LiveMap map;
  for (uint64_t i = 0; i < 2'000'000; ++i) {
    *map.Insert(0x10000 + i * 4096) = 1;
    *map.Insert(0x10010 + i * 4096) = 2;
    ASSERT_EQ(map.Take(0x10000 + i * 4096), 1u);
    ASSERT_EQ(map.Take(0x10010 + i * 4096), 2u);
  }
  EXPECT_EQ(map.size(), 0u);
}

}  // namespace
}  // namespace mallogram
