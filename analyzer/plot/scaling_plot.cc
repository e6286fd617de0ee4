// The main plot of a study: points, laws and their bands on log-log paper. The axes
// leave room for bands and budgets only up to a limit, or points would shrink to a
// corner.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/plot/scripts.h"
#include "analyzer/plot/series.h"
#include "analyzer/plot/text.h"

namespace mallogram::plot {
namespace {

constexpr double kPanelHeight = 352;
constexpr double kLeft = 76, kRight = kWidth - 58, kBelow = 48;
constexpr size_t kNameLetters = 48;
// A band counts for the range up to this factor beyond laws and points, a budget up
// to this factor beyond all of them.
constexpr double kBandFactor = 3, kBudgetFactor = 1000;
// From the bottom to the top of the figure: below it, noise looks like growth.
constexpr double kLeastFactor = 6;
constexpr double kLeastGap = 0.05;  // of the panel, between notes at the right

bool Drawable(const BandPoint& point) {
  return std::isfinite(point.n) && point.n > 0 && std::isfinite(point.value);
}

double LargestMeasured(const Curve& curve) {
  double largest = 0;
  for (const Point& point : curve.points) {
    if (plot::Drawable(point)) largest = std::max(largest, point.n);
  }
  return largest;
}

std::vector<BandPoint> LawOf(const Curve& curve) {
  std::vector<BandPoint> law;
  for (const BandPoint& point : curve.law) {
    if (Drawable(point)) law.push_back(point);
  }
  return law;
}

Axis SizeAxis(const ScalingPlot& plot) {
  std::vector<double> sizes = SizesOf(plot.curves);
  for (const Curve& curve : plot.curves) {
    for (const BandPoint& point : LawOf(curve)) sizes.push_back(point.n);
  }
  return LogAxis(sizes, plot.labels.n_unit, 4);
}

Axis HeightAxis(const ScalingPlot& plot) {
  std::vector<double> values = ValuesOf(plot.curves), bands;
  for (const Curve& curve : plot.curves) {
    for (const BandPoint& point : LawOf(curve)) {
      values.push_back(point.value);
      bands.push_back(point.low);
      bands.push_back(point.high);
    }
  }
  double low = INFINITY, high = 0;
  for (double value : values) {
    if (!std::isfinite(value) || value <= 0) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (high > 0) {
    for (double value : bands) {
      if (std::isnan(value)) continue;
      values.push_back(std::clamp(value, low / kBandFactor, high * kBandFactor));
    }
    if (plot.budget.has_value() && *plot.budget > low / kBudgetFactor &&
        *plot.budget < high * kBudgetFactor) {
      values.push_back(*plot.budget);
    }
  } else if (plot.budget.has_value()) {
    values.push_back(*plot.budget);
  }
  return LogAxis(values, plot.labels.value_unit, kLeastFactor);
}

// The law at n, between its points.
BandPoint Between(const BandPoint& left, const BandPoint& right, double n) {
  const double share = std::log(n / left.n) / std::log(right.n / left.n);
  const auto mix = [share](double a, double b) {
    return a > 0 && b > 0 ? a * std::pow(b / a, share) : a + (b - a) * share;
  };
  return {n, mix(left.value, right.value), mix(left.low, right.low),
          mix(left.high, right.high)};
}

void AddLaw(const Curve& curve, const Axis& y, absl::string_view color,
            Figure* figure) {
  const double end = LargestMeasured(curve);
  Figure::Rows bands[2], lines[2];  // measured, beyond
  const std::vector<BandPoint> law = LawOf(curve);
  const auto add = [&](const BandPoint& point, size_t part) {
    if (!std::isnan(point.low) && !std::isnan(point.high)) {
      bands[part].push_back({point.n, y.Clamp(point.low), y.Clamp(point.high)});
    }
    // What is far outside is cut off by gnuplot, which knows no log of 0.
    lines[part].push_back({point.n, std::max(point.value, y.low * 1e-3)});
  };
  for (size_t i = 0; i < law.size(); ++i) {
    if (i > 0 && law[i - 1].n < end && law[i].n > end) {
      const BandPoint corner = Between(law[i - 1], law[i], end);
      add(corner, 0);
      add(corner, 1);
    } else if (i > 0 && law[i - 1].n == end) {
      add(law[i - 1], 1);
    }
    add(law[i], law[i].n <= end ? 0 : 1);
  }
  for (size_t part = 0; part < 2; ++part) {
    figure->Add(bands[part],
                absl::StrFormat("using 1:2:3 with filledcurves fillcolor rgb '%s' "
                                "fillstyle transparent solid %g noborder",
                                color, part == 0 ? 0.2 : 0.1));
    figure->Add(lines[part],
                absl::StrFormat("using 1:2 with lines linewidth %g dashtype %s "
                                "linecolor rgb '%s'",
                                part == 0 ? 1.5 : 1.2, part == 0 ? kSolid : kDashed,
                                color));
  }
}

const Point* FirstPoint(const std::vector<Curve>& curves) {
  for (const Curve& curve : curves) {
    const Point* first = nullptr;
    for (const Point& point : curve.points) {
      if (!plot::Drawable(point) || point.value <= 0) continue;
      if (first == nullptr || point.n < first->n) first = &point;
    }
    if (first != nullptr) return first;
  }
  return nullptr;
}

// Lines of growth through the first point, each with its name where it leaves the
// panel: at the top, or to the right, there at least kLeastGap apart.
void AddReferences(const ScalingPlot& plot, const Axis& x, const Axis& y,
                   Figure* figure) {
  const Point* first = FirstPoint(plot.curves);
  if (first == nullptr) return;
  struct Reference {
    absl::string_view name;
    double (*growth)(double n);
  };
  constexpr Reference kReferences[] = {
      {"O(1)", [](double) { return 1.0; }},
      {"O(log n)", [](double n) { return std::log1p(n); }},
      {"O(n)", [](double n) { return n; }},
  };
  constexpr int kSteps = 240;
  double lowest = -1;
  for (const Reference& reference : kReferences) {
    Figure::Rows rows;
    for (int step = 0; step <= kSteps; ++step) {
      const double n = x.low * std::pow(x.high / x.low, double{1} * step / kSteps);
      const double value =
          first->value * reference.growth(n) / reference.growth(first->n);
      if (value < y.low) continue;
      if (value > y.high) break;
      rows.push_back({n, value});
    }
    if (rows.size() < 2) continue;
    figure->Add(rows,
                absl::StrFormat("using 1:2 with lines linewidth 0.9 dashtype %s "
                                "linecolor rgb '%s'",
                                kDotted, kNoteInk));
    const double end_x = x.Place(rows.back()[0]), end_y = y.Place(rows.back()[1]);
    if (end_x > 0.995) {
      lowest = std::max(end_y, lowest < 0 ? end_y : lowest + kLeastGap);
      figure->Note(reference.name, {1, lowest, 5, 0}, kNoteInk);
    } else {
      figure->Note(reference.name, {end_x, 1, 0, 6, "center"}, kNoteInk);
    }
  }
}

void AddBudget(const ScalingPlot& plot, const Axis& x, const Axis& y,
               Figure* figure) {
  if (!plot.budget.has_value() || !(*plot.budget > 0)) return;
  const std::string text =
      absl::StrCat("budget ", NumberText(*plot.budget, plot.labels.value_unit));
  const double place = y.Place(*plot.budget);
  if (place < 0 || place > 1) {
    figure->Note(absl::StrCat(text, place > 1 ? ": far above" : ": far below"),
                 {1, place > 1 ? 1.0 : 0.0, -4, place > 1 ? -8.0 : 8.0, "right"},
                 kLimitInk);
    return;
  }
  figure->Add(
      {{x.low, *plot.budget}, {x.high, *plot.budget}},
      absl::StrFormat("using 1:2 with lines linewidth 1.3 dashtype %s linecolor "
                      "rgb '%s'",
                      kDashDotted, kLimitInk));
  // At the end that has more room above the line.
  double near_left = 1, near_right = 1;
  for (const Curve& curve : plot.curves) {
    for (const Point& point : curve.points) {
      if (!plot::Drawable(point)) continue;
      const double distance = std::abs(y.Place(point.value) - place);
      double& near = x.Place(point.n) < 0.5 ? near_left : near_right;
      near = std::min(near, distance);
    }
  }
  const bool left = near_left >= near_right;
  figure->Note(
      text,
      {left ? 0.0 : 1.0, place, left ? 6.0 : -6.0, 7, left ? "left" : "right"},
      kLimitInk);
}

std::vector<LegendEntry> LegendOf(const ScalingPlot& plot, const Axis& y) {
  using Sign = LegendEntry::Sign;
  std::vector<LegendEntry> entries;
  bool band = false, beyond = false;
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const Curve& curve = plot.curves[i];
    const std::vector<BandPoint> law = LawOf(curve);
    std::string text = NameInLetters(CleanText(curve.name), kNameLetters);
    if (!curve.law_text.empty()) {
      absl::StrAppend(&text, text.empty() ? "" : ": ", curve.law_text);
    }
    entries.push_back({law.empty() ? Sign::kMark : Sign::kMarkOnLine,
                       std::string(LookOf(i).color), LookOf(i).mark, text});
    for (const BandPoint& point : law) {
      band |= point.low < point.high;
      beyond |= point.n > LargestMeasured(curve);
    }
  }
  const std::string gray(kNoteInk);
  if (band)
    entries.push_back({Sign::kBox, gray, 0, "95 % band of the law", 0.3, true});
  if (beyond) {
    entries.push_back(
        {Sign::kDashes, gray, 0, "law beyond the measured sizes", 1, true});
  }
  for (LegendEntry& entry : Explanations(plot.curves, y)) {
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

Figure Draft(const ScalingPlot& plot) {
  const Axis x = SizeAxis(plot), y = HeightAxis(plot);
  Figure figure(plot.labels.title, LegendOf(plot, y), kPanelHeight);
  figure.BeginPanel({kLeft, kRight, figure.top() + 12, figure.height() - kBelow});
  figure.XAxis(x, plot.labels.n);
  figure.YAxis(y, plot.labels.value);
  AddReferences(plot, x, y, &figure);
  AddBudget(plot, x, y, &figure);
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    AddLaw(plot.curves[i], y, LookOf(i).color, &figure);
  }
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    std::vector<double> places;
    for (const Point& point : plot.curves[i].points) places.push_back(point.n);
    AddPoints(plot.curves[i].points, places, y, LookOf(i), &figure);
  }
  figure.EndPanel();
  return figure;
}

}  // namespace mallogram::plot
