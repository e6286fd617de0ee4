// Phases: the lines that programs print, what recordings say, and both together.
#include "analyzer/recording/phase_marks.h"

#include <gtest/gtest.h>

namespace mallogram {
namespace {

TEST(PhaseLines, ToTheNanosecond) {
  const std::vector<PhaseLine> lines = ParsePhaseLines(
      "hello\nphase one 12345.678901234\nphase two 1\r\nphase three 0.5\n"
      "phase last 9999999.999999999");
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].name, "one");
  EXPECT_EQ(lines[0].monotonic_ns, 12'345'678'901'234u);
  EXPECT_EQ(lines[1].monotonic_ns, 1'000'000'000u);
  EXPECT_EQ(lines[2].monotonic_ns, 500'000'000u);
  EXPECT_EQ(lines[3].monotonic_ns, 9'999'999'999'999'999u);
}

TEST(PhaseLines, OtherLinesAreNone) {
  EXPECT_TRUE(ParsePhaseLines("").empty());
  EXPECT_TRUE(ParsePhaseLines("phase\nphase one\nphase one two\nphases one 1\n"
                              " phase one 1\nphase  1.5\nphase one 1.5 2\n"
                              "phase one -1\nphase one 1.5x\nphase one 1.2.3\n"
                              "phase one 99999999999999999999\n")
                  .empty());
}

Marks SomeMarks() {
  return {1'000'000'000, {{"baseline", 10, 500}, {"stored", 90, 70'000}}};
}

TEST(Phases, RecordedOnesAreEvents) {
  const std::vector<Phase> phases = FindPhases(SomeMarks(), {});
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[1].name, "stored");
  EXPECT_EQ(phases[1].moment.events, 90u);
  EXPECT_EQ(FindPhase(phases, "stored"), &phases[1]);
  EXPECT_EQ(FindPhase(phases, "store"), nullptr);
}

// A line that was recorded too is no second phase; another is known by its time.
TEST(Phases, LinesAddWhatWasNotRecorded) {
  const std::vector<Phase> phases =
      FindPhases(SomeMarks(), {{"baseline", 1'000'000'400},
                               {"extra", 1'000'050'000},
                               {"before-the-start", 900'000'000}});
  ASSERT_EQ(phases.size(), 3u);
  EXPECT_EQ(phases[0].moment.events, 10u);
  EXPECT_EQ(phases[1].name, "extra");
  EXPECT_EQ(phases[1].moment.events, Moment::kByTime);
  EXPECT_EQ(phases[1].moment.time_ns, 50'000u);
  EXPECT_EQ(phases[2].name, "stored");
}

TEST(Phases, LongNamesAreWholeAgain) {
  const std::string name = "a-name-that-is-longer-than-24-bytes";
  const std::vector<Phase> phases =
      FindPhases({1'000, {{name.substr(0, 24), 5, 100}}}, {{name, 1'050}});
  ASSERT_EQ(phases.size(), 1u);
  EXPECT_EQ(phases[0].name, name);
  EXPECT_EQ(phases[0].moment.events, 5u);
}

// The same name again: every occasion has its line and its mark.
TEST(Phases, RepeatedNames) {
  const Marks marks{1'000, {{"round", 5, 100}, {"round", 9, 9'000'000'000}}};
  const std::vector<Phase> phases =
      FindPhases(marks, {{"round", 1'050}, {"round", 9'000'000'900}});
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(FindPhase(phases, "round")->moment.events, 9u);
}

TEST(Phases, OldRecordingsKnowNoClock) {
  EXPECT_TRUE(FindPhases({}, {{"one", 1'000}}).empty());
}

TEST(MarksChunk, RoundTripAndDamage) {
  const std::string payload = EncodeMarks(SomeMarks());
  const absl::StatusOr<Marks> marks = DecodeMarks(payload);
  ASSERT_TRUE(marks.ok());
  EXPECT_EQ(marks->start_monotonic_ns, 1'000'000'000u);
  ASSERT_EQ(marks->marks.size(), 2u);
  EXPECT_EQ(marks->marks[1].name, "stored");
  EXPECT_EQ(marks->marks[1].events, 90u);
  EXPECT_EQ(marks->marks[1].time_ns, 70'000u);
  for (size_t length = 0; length < payload.size(); ++length)
    EXPECT_FALSE(DecodeMarks(payload.substr(0, length)).ok()) << length;
  EXPECT_FALSE(DecodeMarks(payload + "x").ok());
}

}  // namespace
}  // namespace mallogram
