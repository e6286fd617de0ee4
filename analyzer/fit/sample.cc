#include "analyzer/fit/sample.h"

#include <algorithm>
#include <cmath>

namespace mallogram::fit {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half]
                                : (values[half - 1] + values[half]) / 2;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double SquaresAround(const std::vector<double>& values, double mean) {
  double sum = 0;
  for (double value : values) sum += (value - mean) * (value - mean);
  return sum;
}

}  // namespace

void Sample::Recompute() {
  ln_n.resize(size());
  ln_y.resize(size());
  min_y = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < size(); ++i) {
    ln_n[i] = std::log(n[i]);
    ln_y[i] = std::log(y[i]);
    min_y = std::min(min_y, y[i]);
  }
}

Sample Sample::Without(size_t index) const {
  Sample rest = *this;
  const auto drop = [index](std::vector<double>* values) {
    values->erase(values->begin() + static_cast<ptrdiff_t>(index));
  };
  drop(&rest.n);
  drop(&rest.y);
  drop(&rest.ln_n);
  drop(&rest.ln_y);
  drop(&rest.weight);
  rest.min_y = *std::min_element(rest.y.begin(), rest.y.end());
  return rest;
}

double GuessQuantum(const std::vector<Measurement>& measurements) {
  double quantum = 16;
  for (const Measurement& point : measurements) {
    while (quantum > 1 && std::fmod(point.bytes, quantum) != 0) quantum /= 2;
  }
  return quantum;
}

Series Prepare(std::vector<Measurement> measurements, double quantum) {
  Series series;
  series.quantum = quantum > 0 ? quantum : GuessQuantum(measurements);
  std::stable_sort(
      measurements.begin(), measurements.end(),
      [](const Measurement& a, const Measurement& b) { return a.n < b.n; });

  double cv_squares = 0, runs = 0;
  size_t repeated = 0;
  for (size_t begin = 0, end; begin < measurements.size(); begin = end) {
    std::vector<double> bytes, logs;
    for (end = begin;
         end < measurements.size() && measurements[end].n == measurements[begin].n;
         ++end) {
      bytes.push_back(measurements[end].bytes);
      if (bytes.back() > 0) logs.push_back(std::log(bytes.back()));
    }
    SizeStats size{
        measurements[begin].n, Median(bytes), Mean(bytes), bytes.size(), {}};
    if (bytes.size() >= 2) {
      const double squares = SquaresAround(bytes, size.mean);
      size.sd = std::sqrt(squares / static_cast<double>(bytes.size() - 1));
    }
    if (size.median == 0) ++series.zeros;
    if (size.sd.has_value() && size.mean > 0 && logs.size() == bytes.size()) {
      cv_squares += (*size.sd / size.mean) * (*size.sd / size.mean);
      runs += static_cast<double>(bytes.size());
      ++repeated;
      series.pure_ss += SquaresAround(logs, Mean(logs));
      series.pure_df += bytes.size() - 1;
    }
    series.sizes.push_back(size);
  }

  Sample& sample = series.positive;
  if (repeated > 0) {
    series.cv = std::sqrt(cv_squares / static_cast<double>(repeated));
    const double per_size = runs / static_cast<double>(repeated);
    sample.s0 = std::max(kMinNoise, *series.cv / std::sqrt(per_size));
  }
  const double rounding = series.quantum * series.quantum / 12;
  const double s0_squared = sample.s0 * sample.s0;
  for (const SizeStats& size : series.sizes) {
    if (size.median <= 0) continue;
    sample.n.push_back(size.n);
    sample.y.push_back(size.median);
    sample.weight.push_back(s0_squared /
                            (s0_squared + rounding / (size.median * size.median)));
  }
  sample.Recompute();
  series.zero_prefix = series.zeros > 0 && series.zeros < series.sizes.size();
  for (size_t i = 0; i < series.zeros && series.zero_prefix; ++i) {
    series.zero_prefix = series.sizes[i].median == 0;
  }
  if (series.zero_prefix) sample.last_zero = series.sizes[series.zeros - 1].n;
  return series;
}

}  // namespace mallogram::fit
