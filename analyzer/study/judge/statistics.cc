#include "analyzer/study/judge/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analyzer/fit/distributions.h"

namespace mallogram::study {
namespace {

// Linear between the two neighbours, as R's and numpy's default. REQUIRES: sorted.
double Quantile(const std::vector<double>& values, double p) {
  const double at = p * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(at);
  if (below + 1 >= values.size()) return values.back();
  return values[below] +
         (at - static_cast<double>(below)) * (values[below + 1] - values[below]);
}

}  // namespace

Statistics Summarize(std::vector<double> values) {
  Statistics out;
  out.values = values;
  std::sort(values.begin(), values.end());
  const double count = static_cast<double>(values.size());
  out.count = values.size();
  out.median = Quantile(values, 0.5);
  out.p25 = Quantile(values, 0.25);
  out.p75 = Quantile(values, 0.75);
  out.low = values.front();
  out.high = values.back();
  out.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (out.low == out.high) out.mean = out.low;  // not a rounding error beside it
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double value : values) {
    squares += (value - out.mean) * (value - out.mean);
  }
  out.sd = std::sqrt(squares / (count - 1));
  if (out.mean != 0) out.cv = *out.sd / std::fabs(out.mean);
  return out;
}

Interval IntervalOfMean(const Statistics& statistics) {
  const double sd = statistics.sd.value_or(0);
  if (sd == 0) return {statistics.mean, statistics.mean};
  const double count = static_cast<double>(statistics.count);
  const double half =
      fit::StudentTQuantile(0.975, count - 1) * sd / std::sqrt(count);
  return {statistics.mean - half, statistics.mean + half};
}

}  // namespace mallogram::study
