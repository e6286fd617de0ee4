// Stamps (TSC ticks or CLOCK_MONOTONIC ns) → nanoseconds since the process's start.
//
// The rate is learned: the process's start gives one pair of readings, every
// Calibrate() another. Between calibrations the conversion is one straight line;
// a calibration bends the line where it stands, so that it meets the truth within
// about a tenth of a second, and never breaks it: the result never falls.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mallogram {

// CLOCK_MONOTONIC.
uint64_t MonotonicNs();

class StampClock {
 public:
  struct Reading {
    uint64_t stamp = 0;
    uint64_t monotonic_ns = 0;
  };

  // `start`: as the process read them (not trusted: if they can't be, the clock
  // starts at `now`). `now`: as this process reads them.
  void Start(bool is_tsc, Reading start, Reading now);
  void Calibrate(Reading now);

  // 0 for stamps before the start.
  uint64_t ToNs(uint64_t stamp) const {
    if (stamp <= base_stamp_) [[unlikely]]
      return Backwards(stamp);
    return base_ns_ +
           static_cast<uint64_t>(
               static_cast<unsigned __int128>(stamp - base_stamp_) * rate_ >>
               kRateBits);
  }
  // A difference of two stamps, by the rate of the whole run.
  uint64_t TicksToNs(uint64_t ticks) const {
    return is_tsc_ ? static_cast<uint64_t>(static_cast<double>(ticks) *
                                           true_ns_per_tick_)
                   : ticks;
  }
  // Of CLOCK_MONOTONIC, on the same scale.
  uint64_t MonotonicToNs(uint64_t monotonic_ns) const {
    return monotonic_ns > start_.monotonic_ns ? monotonic_ns - start_.monotonic_ns
                                              : 0;
  }
  uint64_t start_monotonic_ns() const { return start_.monotonic_ns; }
  // 0: stamps are nanoseconds.
  uint64_t ticks_per_second() const;

  // What the library's ReadStamp reads, with the monotonic clock beside it.
  static Reading Read(bool is_tsc);

 private:
  static constexpr int kRateBits = 52;

  static uint64_t Fixed(double ns_per_tick) {
    return static_cast<uint64_t>(ns_per_tick * (uint64_t{1} << kRateBits));
  }
  uint64_t Backwards(uint64_t stamp) const;

  bool is_tsc_ = false;
  Reading start_;
  uint64_t base_stamp_ = 0, base_ns_ = 0;
  uint64_t rate_ = uint64_t{1} << kRateBits;  // of the line in use, fixed point
  double true_ns_per_tick_ = 1;  // from the start to the last calibration
};

}  // namespace mallogram
