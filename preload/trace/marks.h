// Marks: states that the program named when it had reached them
// (preload/interpose_write.cc), each between two events, and the clock that tells
// where others are (analyzer/recording/phase_marks.h). One chunk of them follows
// the first kRun, more as marks come.
//
//   payload := start_monotonic_ns count (name events time_ns)* [scale*]
//
// The scales, eight bytes each, are there if the program gave one to any of the
// marks (client/mallogram.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/trace_format.h"

namespace mallogram {

struct Mark {
  std::string name;     // its first 24 bytes; not empty
  uint64_t events = 0;  // that came before: exact
  uint64_t time_ns = 0;
  double scale = 0;  // that the program gave it, finite; 0: none
};
struct Marks {
  uint64_t start_monotonic_ns = 0;  // the recording's start on CLOCK_MONOTONIC
  std::vector<Mark> marks;
};
std::string EncodeMarks(const Marks& marks);
absl::StatusOr<Marks> DecodeMarks(std::string_view payload);

}  // namespace mallogram
