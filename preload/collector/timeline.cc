#include "preload/collector/timeline.h"

#include <algorithm>

namespace mallogram {
namespace {

void MergeInto(Sample* to, const Sample& from) {
  to->heap_max_bytes = std::max(to->heap_max_bytes, from.heap_max_bytes);
  to->rss_bytes = std::max(to->rss_bytes, from.rss_bytes);
}

}  // namespace

void Timeline::Add(const Sample& sample) {
  if (!points_.empty() && sample.time_ns <= points_.back().time_ns) {
    Sample& last = points_.back();
    last.heap_bytes = sample.heap_bytes;
    MergeInto(&last, sample);
    return;
  }
  points_.push_back(sample);
  pending_.push_back(sample);
  // Two places are kept for the peak and the end.
  if (points_.size() > kMaxPoints - 2) Thin();
  next_ns_ = sample.time_ns + interval_ns_;
}

void Timeline::Thin() {
  size_t kept = 0;
  for (size_t i = 0; i + 1 < points_.size(); i += 2) {
    Sample merged = points_[i + 1];
    MergeInto(&merged, points_[i]);
    points_[kept++] = merged;
  }
  if (points_.size() % 2 == 1) points_[kept++] = points_.back();
  points_.resize(kept);
  interval_ns_ *= 2;
}

std::vector<Sample> Timeline::WithPeak(uint64_t peak_ns, uint64_t peak_bytes,
                                       uint64_t end_ns, uint64_t end_bytes) const {
  std::vector<Sample> points = points_;
  if (points.empty() || end_ns > points.back().time_ns) {
    Sample end;
    end.time_ns = end_ns;
    end.heap_bytes = end.heap_max_bytes = end_bytes;
    if (!points.empty()) end.rss_bytes = points.back().rss_bytes;
    points.push_back(end);
  }
  if (peak_bytes == 0) return points;
  const auto at = std::lower_bound(
      points.begin(), points.end(), peak_ns,
      [](const Sample& sample, uint64_t time) { return sample.time_ns < time; });
  if (at != points.end() && at->time_ns == peak_ns) {
    at->heap_bytes = peak_bytes;
    at->heap_max_bytes = peak_bytes;
    return points;
  }
  Sample peak;
  peak.time_ns = peak_ns;
  peak.heap_bytes = peak.heap_max_bytes = peak_bytes;
  if (at != points.end()) {
    peak.rss_bytes = at->rss_bytes;
  } else if (!points.empty()) {
    peak.rss_bytes = points.back().rss_bytes;
  }
  points.insert(at, peak);
  return points;
}

std::string Timeline::TakePending() {
  if (pending_.empty()) return "";
  std::string payload = EncodeSamples(pending_);
  pending_.clear();
  return payload;
}

}  // namespace mallogram
