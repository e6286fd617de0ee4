// A series made ready for fitting: one point a size, with its weight.
//
// Replicates of one size are one point, their median: they say how noisy the
// measurement is (s0, CV), not how memory grows. Weights: residuals are taken in
// ln y, a relative error; a point whose rounding error (quantum q, uniform, so
// variance q²/12) matters beside s0 counts less.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace mallogram::fit {

struct Measurement {
  double n = 0;      // > 0
  double bytes = 0;  // >= 0
};

// The smallest relative error that we believe in, noise-free data included. Without
// it an exact law leaves nothing to compare the others with (R's nls documents
// that failure under scaleOffset in nls.control).
inline constexpr double kMinNoise = 0.004;

struct Sample {
  // By growing n, all the same length.
  std::vector<double> n, y, ln_n, ln_y, weight;
  double s0 = kMinNoise;
  double min_y = 0;
  double last_zero = 0;  // largest size without a byte; 0: none

  size_t size() const { return n.size(); }
  double MinN() const { return n.front(); }
  double MaxN() const { return n.back(); }
  Sample Without(size_t index) const;
  void Recompute();  // ln_n, ln_y, min_y, from n and y (all > 0)
};

struct SizeStats {
  double n = 0;
  double median = 0, mean = 0;
  size_t replicates = 0;
  std::optional<double> sd;  // of bytes; nothing with one replicate
};

struct Series {
  std::vector<SizeStats> sizes;  // by growing n
  double quantum = 0;
  std::optional<double> cv;  // pooled by root mean square; nothing: single runs
  // Pure error for the lack-of-fit test: squares of ln y around their mean.
  double pure_ss = 0;
  size_t pure_df = 0;

  size_t zeros = 0;          // sizes whose median is 0
  bool zero_prefix = false;  // zeros are the smallest sizes, and not all
  bool all_zero() const { return !sizes.empty() && zeros == sizes.size(); }

  Sample positive;  // the sizes with y > 0
};

// The rounding that the values show: the largest power of two up to 16 that
// divides them all.
double GuessQuantum(const std::vector<Measurement>& measurements);

// `quantum` 0: guess. REQUIRES: every n > 0 and finite, every y >= 0 and finite.
Series Prepare(std::vector<Measurement> measurements, double quantum);

}  // namespace mallogram::fit
