// Tests of a test program as spans of a recording: tools/gtest/mallogram_gtest.h
// marks where each begins and ends.
//
// Marks have 24 bytes and tests have long names, so a begin is several marks: "T{"
// and the name's first 22 bytes, "T+" and 22 more as often as need be; "T}" is the
// end. What lies between two such marks belongs to the test. A test that never ends
// (the program died in it) ends with the recording.
//
// A test's leaks: blocks of a stack that are found lost in the end, as far as the
// stack had more blocks alive at the test's end than at its begin.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "analyzer/recording/chunk_directory.h"
#include "analyzer/recording/recording.h"
#include "preload/trace/marks.h"

namespace mallogram {

// What a stack gained over a test.
struct TestGain {
  uint32_t stack = 0;  // id in the trace
  uint64_t blocks = 0, bytes = 0;
};
struct TestSpan {
  std::string name;                           // "Suite.Case"
  uint64_t begin_events = 0, end_events = 0;  // that came before
  std::vector<TestGain> gains;                // by stack
};

// By begin; without gains. `end_events`: of the whole recording.
std::vector<TestSpan> FindTests(const Marks& marks);

// With gains: one pass over the events.
absl::StatusOr<std::vector<TestSpan>> ReadTests(Recording& recording,
                                                ProgressFn progress);

// The tests in which the stacks gained, most bytes first, no more than `bytes` in
// all.
struct TestShare {
  std::string name;
  uint64_t blocks = 0, bytes = 0;
};
std::vector<TestShare> ShareAmongTests(const std::vector<TestSpan>& tests,
                                       const std::vector<uint32_t>& stacks,
                                       uint64_t blocks, uint64_t bytes);

}  // namespace mallogram
