// The format's rule of names (preload/trace/slots.h), and its bounds.
#include "preload/trace/slots.h"

#include <gtest/gtest.h>

namespace mallogram {
namespace {

uint32_t Take(SlotNames* names, bool is_new) {
  uint32_t slot = 0;
  EXPECT_EQ(names->Take(&slot), is_new);
  return slot;
}

TEST(SlotNames, NewNamesAreNumberedFromZero) {
  SlotNames names;
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ(Take(&names, true), i);
  EXPECT_EQ(names.count(), 5u);
  EXPECT_EQ(names.taken(), 5u);
}

TEST(SlotNames, TheLastGivenBackComesFirst) {
  SlotNames names;
  for (int i = 0; i < 4; ++i) Take(&names, true);
  names.Give(1);
  names.Give(3);
  names.Give(0);
  EXPECT_EQ(names.taken(), 1u);
  EXPECT_EQ(Take(&names, false), 0u);
  names.Give(2);
  EXPECT_EQ(Take(&names, false), 2u);
  EXPECT_EQ(Take(&names, false), 3u);
  EXPECT_EQ(Take(&names, false), 1u);
  EXPECT_EQ(Take(&names, true), 4u);
}

TEST(SlotNames, KnownIsWhatWasEverGivenOut) {
  SlotNames names;
  EXPECT_FALSE(names.IsKnown(0));
  Take(&names, true);
  names.Give(0);
  EXPECT_TRUE(names.IsKnown(0));
  EXPECT_FALSE(names.IsKnown(1));
  EXPECT_FALSE(names.IsKnown(UINT32_MAX));
}

TEST(SlotNames, LooksAhead) {
  SlotNames names;
  uint32_t slot = 9;
  EXPECT_FALSE(names.LookAhead(0, &slot));
  for (int i = 0; i < 3; ++i) Take(&names, true);
  names.Give(2);
  names.Give(0);
  EXPECT_TRUE(names.LookAhead(0, &slot));
  EXPECT_EQ(slot, 0u);
  EXPECT_TRUE(names.LookAhead(1, &slot));
  EXPECT_EQ(slot, 2u);
  EXPECT_FALSE(names.LookAhead(2, &slot));
}

// More names than the first piece of memory holds, twice.
TEST(SlotNames, ManyNames) {
  constexpr uint32_t kMany = 100'000;
  SlotNames names;
  for (int round = 0; round < 2; ++round) {
    for (uint32_t i = 0; i < kMany; ++i)
      ASSERT_EQ(Take(&names, round == 0), round == 0 ? i : kMany - 1 - i);
    ASSERT_EQ(names.count(), kMany);
    // So that they come back in falling order, and the next round the other way.
    for (uint32_t i = 0; i < kMany; ++i) names.Give(i);
  }
}

}  // namespace
}  // namespace mallogram
