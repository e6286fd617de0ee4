// Leak checks: what is written is read, and no payload, however damaged, does more
// than fail.
#include "preload/trace/leaks.h"

#include <gtest/gtest.h>

#include "tests/trace/damage.h"

namespace mallogram {
namespace {

// Every field its own value, so that a swapped pair is seen.
LeakCheck SomeCheck() {
  LeakCheck check;
  check.cause = CheckCause::kSignal;
  check.detail = -11;
  check.time_ns = 101;
  check.events = 102;
  check.classified = true;
  check.reason = "why";
  check.pause_ns = 103;
  check.scan_ns = 104;
  check.scanned_bytes = 105;
  check.root_bytes = 106;
  check.blocks = 107;
  check.bytes = 108;
  check.warnings = {"one", ""};
  LeakGroup group;
  group.kind = LeakClass::kPossible;
  group.stack = 201;
  group.blocks = 202;
  group.bytes = 203;
  group.indirect_blocks = 204;
  group.indirect_bytes = 205;
  group.oldest_ns = 206;
  group.youngest_ns = 207;
  group.thread = 208;
  group.idiom = PointerIdiom::kInterior;
  group.interior_offset = 209;
  group.root = {RootKind::kThreadLocal, 210, 211, 212};
  group.way = {{213, 214, 215, 216}, {217, 218, 219, 220}};
  group.way_cut = 221;
  group.head_stack = 222;
  check.groups = {group, LeakGroup{}};
  return check;
}

TEST(Leaks, RoundTrip) {
  const LeakCheck check = SomeCheck();
  const std::string payload = EncodeLeakCheck(check);
  const auto read = DecodeLeakCheck(payload);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->cause, check.cause);
  EXPECT_EQ(read->warnings, check.warnings);
  ASSERT_EQ(read->groups.size(), 2u);
  const LeakGroup& group = read->groups[0];
  EXPECT_EQ(group.kind, LeakClass::kPossible);
  EXPECT_EQ(group.thread, 208u);
  EXPECT_EQ(group.root.kind, RootKind::kThreadLocal);
  EXPECT_EQ(group.root.tid, 212);
  ASSERT_EQ(group.way.size(), 2u);
  EXPECT_EQ(group.way[1].repeats, 220u);
  EXPECT_EQ(group.way_cut, 221u);
  EXPECT_EQ(group.head_stack, 222u);
  // Every other field: the same bytes come out again.
  EXPECT_EQ(EncodeLeakCheck(*read), payload);
}

TEST(Leaks, ValuesOutOfBoundsAreRefused) {
  LeakCheck check = SomeCheck();
  check.groups[0].kind = static_cast<LeakClass>(kLeakClasses);
  EXPECT_FALSE(DecodeLeakCheck(EncodeLeakCheck(check)).ok());
  check = SomeCheck();
  check.groups[0].root.kind = static_cast<RootKind>(kRootKinds);
  EXPECT_FALSE(DecodeLeakCheck(EncodeLeakCheck(check)).ok());
  check = SomeCheck();
  check.groups[0].stack = 0xffffffff;
  EXPECT_FALSE(DecodeLeakCheck(EncodeLeakCheck(check)).ok());
}

TEST(Leaks, DamageFails) {
  ForEachDamage(EncodeLeakCheck(SomeCheck()), [](const std::string& payload) {
    (void)DecodeLeakCheck(payload).ok();
  });
}

}  // namespace
}  // namespace mallogram
