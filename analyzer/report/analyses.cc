#include "analyzer/report/analyses.h"

#include <algorithm>

#include "analyzer/command/format.h"

namespace mallogram {

Curve Resample(const std::vector<Sample>& timeline, uint64_t duration_ns,
               size_t columns) {
  Curve curve;
  if (timeline.empty() || columns == 0) return curve;
  duration_ns = std::max(duration_ns, timeline.back().time_ns);
  curve.heap.resize(columns);
  curve.rss.resize(columns);
  uint64_t heap = 0, rss = 0;
  size_t next = 0;
  for (size_t column = 0; column < columns; ++column) {
    // A column without samples shows the value before.
    uint64_t heap_max = heap, rss_max = rss;
    bool first = true;
    const double end = static_cast<double>(column + 1) /
                       static_cast<double>(columns) *
                       static_cast<double>(duration_ns);
    for (; next < timeline.size() &&
           (column + 1 == columns ||
            static_cast<double>(timeline[next].time_ns) < end);
         ++next) {
      const Sample& sample = timeline[next];
      heap = sample.heap_bytes;
      if (sample.rss_bytes != 0) rss = sample.rss_bytes;
      if (first) heap_max = 0, rss_max = 0, first = false;
      heap_max = std::max({heap_max, heap, sample.heap_max_bytes});
      rss_max = std::max(rss_max, rss);
    }
    curve.heap[column] = heap_max;
    curve.rss[column] = rss_max;
    curve.heap_max = std::max(curve.heap_max, heap_max);
    curve.rss_max = std::max(curve.rss_max, rss_max);
  }
  return curve;
}

CostEstimate EstimateCost(const Report& report) {
  // From what tools/bench measures on a 2.6 GHz virtual machine (preload/COST.md);
  // other machines differ, hence "estimate". An event, a frame that had to be
  // walked, a new node of the stack table; reading the clock where there were
  // several threads.
  constexpr double kEventNs = 12, kFrameNs = 12, kNodeNs = 350, kStampNs = 8;
  // A block that is sampled out, and its free: this much each, measured as above.
  constexpr double kUnsampledNs = 0.7;
  const double unsampled =
      report.sampled()
          ? static_cast<double>(report.totals.allocations + report.totals.frees) *
                kUnsampledNs
          : 0;
  CostEstimate cost;
  const double event_ns = kEventNs + (report.self.threads > 1 ? kStampNs : 0);
  cost.added_s = (static_cast<double>(report.self.events) * event_ns +
                  static_cast<double>(report.self.frames_walked) * kFrameNs +
                  static_cast<double>(report.self.stack_nodes) * kNodeNs +
                  static_cast<double>(report.loss.wait_ns) + unsampled) /
                 1e9;
  const double duration = Seconds(report.totals.duration_ns);
  // Threads share the added time in a way that the totals do not tell.
  if (!report.merged() && report.self.threads <= 1 && duration > 0 &&
      cost.added_s < 0.95 * duration) {
    cost.slowdown = duration / (duration - cost.added_s);
  }
  return cost;
}

}  // namespace mallogram
