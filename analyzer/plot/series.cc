#include "analyzer/plot/series.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"

namespace mallogram::plot {

std::optional<Interval> SpreadOf(const Point& point) {
  if (point.replicates < 2 || !std::isfinite(point.sd) || point.sd < 0) {
    return std::nullopt;
  }
  return Interval{point.value - point.sd, point.value + point.sd};
}

std::optional<double> CvPercent(const Point& point) {
  if (!SpreadOf(point).has_value() || point.value == 0) return std::nullopt;
  return 100 * point.sd / std::abs(point.value);
}

std::vector<double> SizesOf(const std::vector<Curve>& curves) {
  std::set<double> sizes;
  for (const Curve& curve : curves) {
    for (const Point& point : curve.points) {
      if (Drawable(point)) sizes.insert(point.n);
    }
  }
  return {sizes.begin(), sizes.end()};
}

std::vector<double> ValuesOf(const std::vector<Curve>& curves) {
  std::vector<double> values;
  for (const Curve& curve : curves) {
    for (const Point& point : curve.points) {
      if (!Drawable(point)) continue;
      values.push_back(point.value);
      if (const auto spread = SpreadOf(point); spread.has_value()) {
        // A spread that reaches below 0 says nothing about the axis.
        if (spread->low > 0 || point.value < 0) values.push_back(spread->low);
        values.push_back(spread->high);
      }
      if (point.replicates < 2) continue;
      if (point.low.has_value()) values.push_back(*point.low);
      if (point.high.has_value()) values.push_back(*point.high);
    }
  }
  return values;
}

void AddPoints(const std::vector<Point>& points, const std::vector<double>& x,
               const Axis& y, const Look& look, Figure* figure) {
  Figure::Rows extremes, spreads, replicated, single;
  for (size_t i = 0; i < points.size(); ++i) {
    const Point& point = points[i];
    if (!Drawable(point)) continue;
    const double value = y.Show(point.value);
    (point.replicates < 2 ? single : replicated).push_back({x[i], value});
    if (const auto spread = SpreadOf(point); spread.has_value() && point.sd > 0) {
      spreads.push_back({x[i], value, y.Clamp(spread->low), y.Clamp(spread->high)});
    }
    if (point.replicates > 1 && point.low.has_value() && point.high.has_value() &&
        *point.low < *point.high) {
      extremes.push_back({x[i], value, y.Clamp(*point.low), y.Clamp(*point.high)});
    }
  }
  const std::string color = absl::StrFormat("rgb '%s'", look.color);
  // Extremes without caps, standard deviations with.
  figure->Add(
      extremes,
      absl::StrFormat("using 1:3:(0):($4-$3) with vectors nohead linewidth 0.8 "
                      "linecolor %s",
                      color));
  figure->Add(spreads, absl::StrFormat(
                           "using 1:2:3:4 with yerrorbars pointtype -1 linewidth "
                           "1.3 linecolor %s",
                           color));
  figure->Add(replicated,
              absl::StrFormat("using 1:2 with points pointtype %d pointsize 0.75 "
                              "linecolor %s",
                              look.mark, color));
  figure->Add(single,
              absl::StrFormat("using 1:2 with points pointtype %d pointsize "
                              "0.75 linewidth 1.4 linecolor %s",
                              look.hollow_mark, color));
}

std::vector<LegendEntry> Explanations(const std::vector<Curve>& curves,
                                      const Axis& y) {
  bool spread = false, extremes = false, single = false, zero = false;
  for (const Curve& curve : curves) {
    for (const Point& point : curve.points) {
      if (!Drawable(point)) continue;
      single |= point.replicates < 2;
      zero |= y.log && point.value <= 0;
      spread |= SpreadOf(point).has_value();
      extremes |=
          point.replicates > 1 && point.low.has_value() && point.high.has_value();
    }
  }
  using Sign = LegendEntry::Sign;
  const std::string gray(kNoteInk);
  std::vector<LegendEntry> entries;
  if (spread) {
    entries.push_back(
        {Sign::kNone, gray, 0,
         extremes ? "marks: medians; bars: ±1 SD; thin lines: least to most"
                  : "marks: medians; bars: ±1 SD",
         1, true});
  }
  if (single)
    entries.push_back({Sign::kMark, gray, 6, "hollow: a single run", 1, true});
  if (zero) {
    entries.push_back(
        {Sign::kNone, gray, 0, "on the lower edge: 0, or less", 1, true});
  }
  return entries;
}

}  // namespace mallogram::plot
