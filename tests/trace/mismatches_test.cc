// Mismatches, pools and the scales of marks: what is written is read, and no
// payload, however damaged, does more than fail.
#include "preload/trace/mismatches.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "preload/trace/marks.h"
#include "preload/trace/pools.h"
#include "tests/trace/damage.h"

namespace mallogram {
namespace {

// Every field its own value, so that a swapped pair is seen.
Mismatches SomeMismatches() {
  Mismatch m;
  m.type = MismatchType::kDouble;
  m.count = 101;
  m.time_ns = 102;
  m.events = 103;
  m.thread = 104;
  m.address = 105;
  m.allocated_by = BlockKind::kNewArray;
  m.allocated_stack = 106;
  m.size = 107;
  m.alignment = 108;
  m.offset = 109;
  m.freed_by = BlockKind::kRealloc;
  m.freed_stack = 110;
  m.told_size = true;
  m.freed_size = 111;
  m.freed_alignment = 112;
  m.first_freed_by = BlockKind::kNew;
  m.first_freed_stack = 113;
  return {{m, Mismatch{}}, 114};
}

std::vector<Pool> SomePools() {
  Pool pool;
  pool.name = "nodes";
  pool.destroyed = true;
  pool.peak_bytes = 201;
  pool.peak_time_ns = 202;
  pool.unknown_frees = 203;
  pool.sites = {{204, 205, 206, 207, 208, 209, 210, 211}, PoolSite{}};
  return {pool, Pool{}};
}

TEST(Mismatches, RoundTrip) {
  const std::string payload = EncodeMismatches(SomeMismatches());
  const auto read = DecodeMismatches(payload);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->left_out, 114u);
  ASSERT_EQ(read->list.size(), 2u);
  const Mismatch& m = read->list[0];
  EXPECT_EQ(m.type, MismatchType::kDouble);
  EXPECT_EQ(m.allocated_by, BlockKind::kNewArray);
  EXPECT_EQ(m.freed_by, BlockKind::kRealloc);
  EXPECT_EQ(m.first_freed_by, BlockKind::kNew);
  EXPECT_TRUE(m.told_size);
  EXPECT_EQ(m.first_freed_stack, 113u);
  // Every other field: the same bytes come out again.
  EXPECT_EQ(EncodeMismatches(*read), payload);
}

TEST(Mismatches, ValuesOutOfBoundsAreRefused) {
  Mismatches mismatches = SomeMismatches();
  mismatches.list[0].type = static_cast<MismatchType>(kMismatchTypes);
  EXPECT_FALSE(DecodeMismatches(EncodeMismatches(mismatches)).ok());
  mismatches = SomeMismatches();
  mismatches.list[0].freed_by = static_cast<BlockKind>(kBlockKinds);
  EXPECT_FALSE(DecodeMismatches(EncodeMismatches(mismatches)).ok());
  mismatches = SomeMismatches();
  mismatches.list[0].first_freed_stack = 0xffffffff;
  EXPECT_FALSE(DecodeMismatches(EncodeMismatches(mismatches)).ok());
}

TEST(Mismatches, DamageFails) {
  ForEachDamage(EncodeMismatches(SomeMismatches()), [](const std::string& payload) {
    (void)DecodeMismatches(payload).ok();
  });
}

TEST(Pools, RoundTrip) {
  const std::string payload = EncodePools(SomePools());
  const auto read = DecodePools(payload);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].name, "nodes");
  EXPECT_TRUE((*read)[0].destroyed);
  ASSERT_EQ((*read)[0].sites.size(), 2u);
  EXPECT_EQ((*read)[0].sites[0].thread, 211u);
  EXPECT_EQ(EncodePools(*read), payload);
}

TEST(Pools, DamageFails) {
  ForEachDamage(EncodePools(SomePools()), [](const std::string& payload) {
    (void)DecodePools(payload).ok();
  });
}

TEST(Marks, ScalesComeBackExactly) {
  const Marks marks{7,
                    {{"load", 1, 2, 0.1}, {"index", 3, 4, 0}, {"x", 5, 6, 1e300}}};
  const auto read = DecodeMarks(EncodeMarks(marks));
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->marks.size(), 3u);
  EXPECT_EQ(read->marks[0].scale, 0.1);
  EXPECT_EQ(read->marks[1].scale, 0);
  EXPECT_EQ(read->marks[2].scale, 1e300);
}

// A reader that knows no scales must be able to read a file that has none.
TEST(Marks, WithoutScalesTheChunkIsAsItWas) {
  const std::string plain = EncodeMarks({7, {{"load", 1, 2, 0}}});
  EXPECT_EQ(plain, std::string("\x07\x01\x04load\x01\x02", 9));
}

TEST(Marks, AScaleIsFinite) {
  const double infinite = std::numeric_limits<double>::infinity();
  const auto read = DecodeMarks(EncodeMarks({7, {{"load", 1, 2, infinite}}}));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->marks[0].scale, 0);
}

TEST(Marks, DamageFails) {
  ForEachDamage(
      EncodeMarks({7, {{"load", 1, 2, 0.5}}}),
      [](const std::string& payload) { (void)DecodeMarks(payload).ok(); });
}

}  // namespace
}  // namespace mallogram
