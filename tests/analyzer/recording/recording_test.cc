// One recording, whatever is asked of it: opened once, its events in order and as
// far as they can be read, and what ends them told apart.
#include "analyzer/recording/recording.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/analyzer/trace_files.h"

namespace mallogram {
namespace {

void NoProgress(uint64_t, uint64_t) {}

// `count` allocations, of sizes 1, 2, …, in chunks of 100; chunk `skipped` (from 0)
// is left out.
std::string Allocations(uint32_t count, uint32_t skipped = UINT32_MAX) {
  TraceFileBuilder file, elsewhere;
  EventEncoder encoder;
  for (uint32_t i = 0; i < count; ++i) {
    Event event;
    event.time_ns = i * 100;
    event.stack = kFirstStackId;
    event.size = i + 1;
    encoder.Add(event);
    if (i % 100 != 99) continue;
    (i / 100 == skipped ? elsewhere : file).AddEvents(&encoder);
  }
  return file.Finish(Summary());
}

struct Read {
  uint64_t events = 0;
  absl::Status status;
};
Read ReadAll(const std::string& bytes, uint64_t refuse = UINT64_MAX) {
  absl::StatusOr<Recording> recording =
      Recording::Open(MemorySource(bytes), "x.mgram");
  EXPECT_TRUE(recording.ok()) << recording.status();
  Read read;
  EventRange<NoHints> events = recording->Events(NoProgress, NoHints());
  for (const Event& event : events) {
    EXPECT_EQ(event.size, read.events + 1);
    if (++read.events != refuse) continue;
    events.Refuse();
    break;
  }
  read.status = events.status();
  return read;
}

TEST(Recording, WhatIsNoRecordingIsAnErrorThatNamesIt) {
  EXPECT_FALSE(Recording::Open("/nonexistent.mgram").ok());
  const std::string text = "this is no recording at all, but long enough";
  const absl::Status status =
      Recording::Open(MemorySource(text), "some.mgram").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message().find("some.mgram: "), 0u) << status;
}

TEST(Recording, AllEventsInOrder) {
  for (const uint32_t count : {0u, 100u, 1000u}) {
    const Read read = ReadAll(Allocations(count));
    EXPECT_EQ(read.events, count);
    EXPECT_TRUE(read.status.ok()) << read.status;
  }
}

TEST(Recording, WithoutFooterAllTheSame) {
  const std::string whole = Allocations(1000);
  const Read read = ReadAll(whole.substr(0, whole.size() - 1));
  EXPECT_EQ(read.events, 1000u);
  EXPECT_TRUE(read.status.ok()) << read.status;
}

TEST(Recording, MissingEventsAreNoDamage) {
  const Read read = ReadAll(Allocations(1000, /*skipped=*/3));
  EXPECT_EQ(read.events, 300u);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Recording, DamageEndsTheEventsAtItsChunk) {
  std::string bytes = Allocations(1000);
  bytes[bytes.size() / 2] ^= 0x55;
  const Read read = ReadAll(bytes);
  EXPECT_EQ(read.events % 100, 0u);
  EXPECT_GT(read.events, 0u);
  EXPECT_LT(read.events, 1000u);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kDataLoss) << read.status;
}

TEST(Recording, RefusedEventsAreDamage) {
  const Read read = ReadAll(Allocations(1000), 250);
  EXPECT_EQ(read.events, 250u);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kDataLoss);
}

// Events, facts, marks and events again, of one opening.
TEST(Recording, AsOftenAsOneLikes) {
  const MadeTrace made = MakeTrace(2000, 4, "/bin/none", 99);
  absl::StatusOr<Recording> recording =
      Recording::Open(MemorySource(made.whole), "x.mgram");
  ASSERT_TRUE(recording.ok()) << recording.status();
  uint64_t events[2] = {};
  for (uint64_t& count : events) {
    for (const Event& event : recording->Events(NoProgress, NoHints())) {
      count += event.time_ns != UINT64_MAX;
    }
    const absl::StatusOr<RunInfo> facts = recording->Facts();
    ASSERT_TRUE(facts.ok()) << facts.status();
    EXPECT_EQ(facts->pid, 99);
    EXPECT_TRUE(recording->ReadMarks().ok());
  }
  EXPECT_EQ(events[0], events[1]);
  EXPECT_GT(events[0], 0u);
}

}  // namespace
}  // namespace mallogram
