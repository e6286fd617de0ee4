// What several kinds of plots do with measured points.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/plot/figure.h"
#include "analyzer/plot/plots.h"

namespace mallogram::plot {

inline bool Drawable(const Point& point) {
  return std::isfinite(point.n) && point.n > 0 && std::isfinite(point.value);
}

// One standard deviation around the value; nothing for a single run.
struct Interval {
  double low = 0, high = 0;
};
std::optional<Interval> SpreadOf(const Point& point);
std::optional<double> CvPercent(const Point& point);

// All measured sizes, rising, each once.
std::vector<double> SizesOf(const std::vector<Curve>& curves);
// Values with the ends of their spreads and extremes.
std::vector<double> ValuesOf(const std::vector<Curve>& curves);

// Extremes, error bars and marks of points at `x`; single runs are hollow. Zeros
// stand on the lower edge of a log axis.
void AddPoints(const std::vector<Point>& points, const std::vector<double>& x,
               const Axis& y, const Look& look, Figure* figure);

// Entries that explain these signs, as far as the curves have them.
std::vector<LegendEntry> Explanations(const std::vector<Curve>& curves,
                                      const Axis& y);

}  // namespace mallogram::plot
