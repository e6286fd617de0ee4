// What a sampled recording (record --sample) knows of blocks that it did not
// follow.
//
// A block of `size` bytes is followed with the probability
// p = 1 - exp(-max(size, 1) / interval), independently of all others
// (preload/sampler.h), and stands for 1/p blocks of its kind. The sums over those
// that were followed,
//
//   blocks = sum of 1/p            variance = sum of (1 - p)/p^2
//   bytes  = sum of size/p         variance = sum of size^2 (1 - p)/p^2
//
// are unbiased, and so are their variances (Horvitz and Thompson, J. Am. Stat.
// Assoc. 47, 1952). Intervals are made of them where they are shown:
// analyzer/recording/estimate.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace mallogram {

// REQUIRES: interval > 0.
inline double SampleProbability(uint64_t size, uint64_t interval) {
  return -std::expm1(-static_cast<double>(std::max<uint64_t>(size, 1)) /
                     static_cast<double>(interval));
}

// A sum over blocks: of one call site, or all; ever allocated, or alive at one
// time.
struct Estimate {
  uint64_t samples = 0;  // blocks that were followed
  double blocks = 0, bytes = 0;
  double blocks_variance = 0, bytes_variance = 0;

  void Add(uint64_t size, uint64_t interval) { Change(size, interval, 1); }
  // REQUIRES: was added.
  void Remove(uint64_t size, uint64_t interval) {
    if (samples == 1) {  // without what rounding has left
      *this = Estimate();
    } else {
      Change(size, interval, -1);
    }
  }
  void Add(const Estimate& more) {
    samples += more.samples;
    blocks += more.blocks;
    bytes += more.bytes;
    blocks_variance += more.blocks_variance;
    bytes_variance += more.bytes_variance;
  }

 private:
  void Change(uint64_t size, uint64_t interval, int sign) {
    const double p = SampleProbability(size, interval);
    const double weight = sign / p;
    const auto bytes_each = static_cast<double>(size);
    samples += static_cast<uint64_t>(sign);
    blocks += weight;
    bytes += weight * bytes_each;
    const double variance = weight * (1 - p) / p;
    blocks_variance += variance;
    bytes_variance += variance * bytes_each * bytes_each;
  }
};

struct SiteEstimate {
  Estimate allocated;     // ever
  Estimate live;          // at the end
  Estimate peak;          // when the whole heap, as estimated, was highest
  uint64_t smallest = 0;  // size of the smallest block that was followed

  void Add(const SiteEstimate& more) {
    if (more.allocated.samples != 0) {
      smallest = allocated.samples == 0 ? more.smallest
                                        : std::min(smallest, more.smallest);
    }
    allocated.Add(more.allocated);
    live.Add(more.live);
    peak.Add(more.peak);
  }
};

// Of a whole recording.
struct Sampling {
  uint64_t interval = 0;            // 0: not sampled, and the rest is empty
  SiteEstimate totals;              // of the whole heap
  std::vector<SiteEstimate> sites;  // as many and in the order of Summary.sites
};

}  // namespace mallogram
