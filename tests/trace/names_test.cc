// Stored names: what is written is read, and no payload, however damaged, names a
// string that is not there.
#include "preload/trace/names.h"

#include <gtest/gtest.h>

#include "tests/trace/damage.h"

namespace mallogram {
namespace {

// Every field its own value, so that a swapped pair is seen.
NamesChunk SomeNames() {
  NamesChunk names;
  for (int i = 0; i < 16; ++i) names.strings.push_back(std::string(i, 'a'));
  names.locations = {{101, 102, {{1, 2, 3, 4, 103, true}, {5, 6, 7, 8, 0, false}}},
                     {104, 0, {StoredFrame{}}}};
  names.variables = {{105, 106, 9, 107, 10}};
  names.returned = {{108, 11, true, false, 12}, {109, 13, false, true, 14}};
  names.notes = {15};
  return names;
}

TEST(Names, RoundTrip) {
  const std::string payload = EncodeNames(SomeNames());
  const auto read = DecodeNames(payload);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->strings[15], std::string(15, 'a'));
  const StoredFrame& frame = read->locations[0].frames[0];
  EXPECT_EQ(frame.function, 1u);
  EXPECT_EQ(frame.origin, 4u);
  EXPECT_EQ(frame.line, 103u);
  EXPECT_TRUE(frame.inlined);
  EXPECT_FALSE(read->locations[0].frames[1].inlined);
  EXPECT_EQ(read->variables[0].offset, 107u);
  EXPECT_TRUE(read->returned[0].exists);
  EXPECT_FALSE(read->returned[0].constant);
  // Every other field: the same bytes come out again.
  EXPECT_EQ(EncodeNames(*read), payload);
}

TEST(Names, Damage) {
  ForEachDamage(EncodeNames(SomeNames()), [](const std::string& damaged) {
    const auto read = DecodeNames(damaged);
    if (!read.ok()) return;
    const size_t count = read->strings.size();
    for (const StoredLocation& location : read->locations) {
      for (const StoredFrame& frame : location.frames) {
        EXPECT_LT(frame.function, count);
        EXPECT_LT(frame.symbol, count);
        EXPECT_LT(frame.file, count);
        EXPECT_LT(frame.origin, count);
      }
    }
    for (const StoredVariable& variable : read->variables) {
      EXPECT_LT(variable.name, count);
      EXPECT_LT(variable.section, count);
    }
    for (const StoredReturned& returned : read->returned) {
      EXPECT_LT(returned.function, count);
      EXPECT_LT(returned.text, count);
    }
    for (const uint32_t note : read->notes) EXPECT_LT(note, count);
  });
}

}  // namespace
}  // namespace mallogram
