// Heap and RSS over time, at most kMaxPoints of them however long it takes: when
// they are full, every second one goes and the interval doubles. Maxima survive
// thinning.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preload/trace/records.h"

namespace mallogram {

class Timeline {
 public:
  static constexpr size_t kMaxPoints = 1000;
  static constexpr uint64_t kFirstIntervalNs = 1'000'000;

  // True if a point is due at `time_ns`. One compare.
  bool Due(uint64_t time_ns) const { return time_ns >= next_ns_; }
  // Times must rise; a point that is not later than the last is merged into it.
  void Add(const Sample& sample);

  // The points with one exactly at the peak.
  std::vector<Sample> WithPeak(uint64_t peak_ns, uint64_t peak_bytes,
                               uint64_t end_ns, uint64_t end_bytes) const;

  // kSamples payload of the points since the last call; empty: none.
  std::string TakePending();

 private:
  void Thin();

  std::vector<Sample> points_, pending_;
  uint64_t interval_ns_ = kFirstIntervalNs, next_ns_ = 0;
};

}  // namespace mallogram
