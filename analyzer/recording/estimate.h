// Intervals around the estimates of a sampled recording (preload/trace/sampling.h).
//
// The normal interval, estimate +- 1.96 standard errors, fails where it matters: a
// site with three followed blocks, or none. Here each end is a quantile of a gamma
// distribution with matching mean and variance (Fay and Feuer, Statistics in
// Medicine 16, 1997, for weighted sums of counts): the lower of the sum as it is,
// the upper of the sum with one more block, of the kind that was just missed. With
// blocks of one small size this is Garwood's exact interval for a Poisson count
// (Biometrika 28, 1936), and without any followed block it is [0, 3.69 intervals],
// which is exact whatever the sizes: `bytes` bytes go unseen with the probability
// exp(-bytes / interval). It covers at least what it says but for a percent or so,
// and more where blocks are few; the tests simulate that.
//
// An interval for a number of blocks must assume that a missed block is not much
// smaller than the smallest that was followed at its site.
#pragma once

#include <cstdint>

#include "preload/trace/sampling.h"

namespace mallogram {

inline constexpr double kConfidence = 0.95;

struct Interval {  // rounded outwards
  uint64_t low = 0, high = 0;
};

// Of the bytes, and of the number, of all blocks that `sum` stands for. `smallest`:
// of the followed blocks of its site, in bytes.
Interval BytesInterval(const Estimate& sum, uint64_t interval);
Interval BlocksInterval(const Estimate& sum, uint64_t smallest, uint64_t interval);

}  // namespace mallogram
