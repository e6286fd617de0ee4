#include "preload/collector/stamp_clock.h"

#include <time.h>

#include <algorithm>

#include "preload/clock.h"

namespace mallogram {
namespace {

// 100 MHz to 20 GHz: a rate outside of it comes from a damaged image.
constexpr double kMinNsPerTick = 0.05, kMaxNsPerTick = 10;
// A rate from a shorter time than this is not believed.
constexpr uint64_t kMinBaselineNs = 20'000;
constexpr double kCatchUpNs = 100e6;

double Rate(const StampClock::Reading& from, const StampClock::Reading& to) {
  if (to.stamp <= from.stamp ||
      to.monotonic_ns < from.monotonic_ns + kMinBaselineNs) {
    return 0;
  }
  const double rate = static_cast<double>(to.monotonic_ns - from.monotonic_ns) /
                      static_cast<double>(to.stamp - from.stamp);
  return rate >= kMinNsPerTick && rate <= kMaxNsPerTick ? rate : 0;
}

}  // namespace

StampClock::Reading StampClock::Read(bool is_tsc) {
  if (!is_tsc) {
    const uint64_t now = MonotonicNs();
    return {now, now};
  }
  // The clock between two stamps; the middle is its stamp. An interruption shows
  // as a wide pair, so the narrowest of three counts.
  Reading best;
  uint64_t narrowest = UINT64_MAX;
  for (int i = 0; i < 3; ++i) {
    const uint64_t before = ReadStamp(true);
    const uint64_t now = MonotonicNs();
    const uint64_t after = ReadStamp(true);
    if (after - before < narrowest) {
      narrowest = after - before;
      best = {before + narrowest / 2, now};
    }
  }
  return best;
}

uint64_t MonotonicNs() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(t.tv_nsec);
}

void StampClock::Start(bool is_tsc, Reading start, Reading now) {
  is_tsc_ = is_tsc;
  start_ = start;
  if (!is_tsc) {
    base_stamp_ = start.stamp;
    return;
  }
  double rate = Rate(start, now);
  if (rate == 0) {
    // Handed over at once, or nonsense: measure for ourselves.
    if (start.stamp > now.stamp || start.monotonic_ns > now.monotonic_ns)
      start_ = now;
    Reading later = now;
    while ((rate = Rate(now, later)) == 0 &&
           later.monotonic_ns < now.monotonic_ns + 10 * kMinBaselineNs) {
      later = Read(true);
    }
    if (rate == 0) rate = 0.5;
  }
  base_stamp_ = start_.stamp;
  true_ns_per_tick_ = rate;
  rate_ = Fixed(rate);
}

void StampClock::Calibrate(Reading now) {
  if (!is_tsc_ || now.stamp <= base_stamp_) return;
  const double rate = Rate(start_, now);
  if (rate == 0) return;
  true_ns_per_tick_ = rate;
  const uint64_t shown = ToNs(now.stamp);
  const double error = static_cast<double>(MonotonicToNs(now.monotonic_ns)) -
                       static_cast<double>(shown);
  const double bend = std::clamp(error / kCatchUpNs, -0.5, 0.5);
  base_stamp_ = now.stamp;
  base_ns_ = shown;
  rate_ = Fixed(rate * (1 + bend));
}

// Records from before the last calibration that were late: the line as it was is
// gone, the true rate is close enough.
uint64_t StampClock::Backwards(uint64_t stamp) const {
  const double back = static_cast<double>(base_stamp_ - stamp) * true_ns_per_tick_;
  return back >= static_cast<double>(base_ns_)
             ? 0
             : base_ns_ - static_cast<uint64_t>(back);
}

uint64_t StampClock::ticks_per_second() const {
  return is_tsc_ ? static_cast<uint64_t>(1e9 / true_ns_per_tick_) : 0;
}

}  // namespace mallogram
