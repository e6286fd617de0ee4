// Plots of studies, as SVG and as PNG at 300 dpi, drawn by gnuplot. Plain data in,
// files out.
//
// A plot is 6.5 inches wide: the text width of a page. Bytes are SI (1 kB = 1000
// B). Names may hold any characters; what is no text becomes "?", and long C++
// names are shortened. Values that are no numbers, and sizes <= 0, are left out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mallogram::plot {

// One measured size: the median of its replicates, and their spread.
struct Point {
  double n = 0, value = 0;
  double sd = 0;          // standard deviation; of a single run: not looked at
  size_t replicates = 1;  // 1: drawn hollow, without a CV
  // The extremes of the replicates; of a single run: not looked at.
  std::optional<double> low = std::nullopt, high = std::nullopt;
};

// A law drawn through the points: the value and its 95 % band at many n.
struct BandPoint {
  double n = 0, value = 0, low = 0, high = 0;
};

struct Curve {
  std::string name = {};  // of the program, the variant or the call site
  std::vector<Point> points = {};
  std::vector<BandPoint> law = {};  // by rising n; empty: no law was found
  std::string law_text = {};        // "a + b n", for the legend; or the refusal
};

// What the numbers of an axis are.
enum class Unit {
  kPlain,  // 1,000
  kBytes,  // 1 kB
};

struct Labels {
  std::string title;
  std::string n;      // "sessions"
  std::string value;  // "heap bytes at the peak"
  Unit n_unit = Unit::kPlain;
  Unit value_unit = Unit::kBytes;
};

// Log-log: points, laws with bands, reference lines O(1), O(log n), O(n) through
// the first curve's first point, and budget as a line across. What a law says
// beyond the curve's largest measured size is dashed. O(log n) is log(n + 1): it
// grows from n = 1 too.
struct ScalingPlot {
  Labels labels;
  std::vector<Curve> curves;
  std::optional<double> budget;
};
// Above: value by size with its standard deviation and extremes; below: CV by size.
// Sizes stand at equal distances. Laws are not drawn.
struct DistributionPlot {
  Labels labels;
  std::vector<Curve> curves;
};
// Ratios by size on a log scale: bytes a unit, overhead over payload, compression.
// Of plain ratios, 1 is marked. Laws are not drawn.
struct EfficiencyPlot {
  Labels labels;
  std::vector<Curve> ratios;
};
// Stacked bytes by call site over n: as bytes, and as shares of each size's sum. Of
// many layers the largest are shown, the rest goes into the layer of the others.
struct DecompositionPlot {
  Labels labels;
  std::vector<double> n;
  struct Layer {
    std::string name;
    std::vector<double> bytes;  // at every n; < 0: 0
    bool others = false;        // all small ones together: grey, on top
  };
  std::vector<Layer> layers;  // from the bottom
};
// What is left after close, by size: bytes, and as a share of the highest.
struct ResidualPlot {
  Labels labels;
  std::vector<Point> residual;
  std::vector<Point> share;  // of 1
};

// Writes STEM.svg and STEM.png, replacing them when both are done. Errors:
// gnuplot is not installed (NotFound), files can't be written, or what gnuplot
// said; one line each.
absl::Status Draw(const ScalingPlot& plot, absl::string_view stem);
absl::Status Draw(const DistributionPlot& plot, absl::string_view stem);
absl::Status Draw(const EfficiencyPlot& plot, absl::string_view stem);
absl::Status Draw(const DecompositionPlot& plot, absl::string_view stem);
absl::Status Draw(const ResidualPlot& plot, absl::string_view stem);

}  // namespace mallogram::plot
