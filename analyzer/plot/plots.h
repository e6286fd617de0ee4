// Plots of studies, as SVG and as PNG at 300 dpi, drawn by gnuplot. Plain data in,
// files out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace mallogram::plot {

// One measured size: the median of its replicates, and their spread.
struct Point {
  double n = 0, value = 0;
  double sd = 0;  // 0: single run
  size_t replicates = 1;
};

// A law drawn through the points: the value and its 95 % band at many n.
struct BandPoint {
  double n = 0, value = 0, low = 0, high = 0;
};

struct Curve {
  std::string name;  // of the program, the variant or the call site
  std::vector<Point> points;
  std::vector<BandPoint> law;  // empty: no law was found
  std::string law_text;        // "a + b n", for the legend; or the refusal
};

struct Labels {
  std::string title;
  std::string n;      // "sessions"
  std::string value;  // "heap bytes at the peak"
};

// Log-log: points, laws with bands, reference lines O(1), O(log n), O(n) through
// the first curve's first point, and budget as a line across.
struct ScalingPlot {
  Labels labels;
  std::vector<Curve> curves;
  std::optional<double> budget;
};
// Above: value by size with error bars (and every replicate); below: CV by size.
struct DistributionPlot {
  Labels labels;
  std::vector<Curve> curves;
};
// Ratios by size on a log scale: bytes a unit, overhead over payload, compression.
struct EfficiencyPlot {
  Labels labels;
  std::vector<Curve> ratios;
};
// Stacked bytes by call site over n.
struct DecompositionPlot {
  Labels labels;
  std::vector<double> n;
  struct Layer {
    std::string name;
    std::vector<double> bytes;  // at every n
  };
  std::vector<Layer> layers;  // from the bottom
};
// What is left after close, by size: bytes, and as a share of the highest.
struct ResidualPlot {
  Labels labels;
  std::vector<Point> residual;
  std::vector<Point> share;  // of 1
};

// Writes STEM.svg and STEM.png. Errors: gnuplot is not installed (NotFound), or
// what it said.
absl::Status Draw(const ScalingPlot& plot, const std::string& stem);
absl::Status Draw(const DistributionPlot& plot, const std::string& stem);
absl::Status Draw(const EfficiencyPlot& plot, const std::string& stem);
absl::Status Draw(const DecompositionPlot& plot, const std::string& stem);
absl::Status Draw(const ResidualPlot& plot, const std::string& stem);

}  // namespace mallogram::plot
