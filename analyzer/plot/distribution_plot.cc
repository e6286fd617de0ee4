// Values with their spread, and the CV below: how far replicates of one size agree.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "analyzer/plot/scripts.h"
#include "analyzer/plot/series.h"
#include "analyzer/plot/text.h"

namespace mallogram::plot {
namespace {

constexpr double kUpperHeight = 230, kLowerHeight = 110, kGap = 14, kBelow = 48;
constexpr double kLeft = 76, kRight = kWidth - 20;
constexpr size_t kNameLetters = 60;

// Curves stand side by side around their size's slot.
double Shift(size_t curve, size_t curves) {
  const double step = std::min(0.18, 0.7 / static_cast<double>(curves));
  return (static_cast<double>(curve) - (static_cast<double>(curves) - 1) / 2) *
         step;
}

std::vector<double> PlacesOf(const Curve& curve, double shift,
                             const std::vector<double>& sizes) {
  std::vector<double> places;
  for (const Point& point : curve.points) {
    const auto at = std::lower_bound(sizes.begin(), sizes.end(), point.n);
    places.push_back(static_cast<double>(at - sizes.begin()) + shift);
  }
  return places;
}

void AddTrend(const Curve& curve, const std::vector<double>& places, const Axis& y,
              absl::string_view color, Figure* figure) {
  Figure::Rows rows;
  for (size_t i = 0; i < curve.points.size(); ++i) {
    if (!Drawable(curve.points[i])) continue;
    rows.push_back({places[i], y.Show(curve.points[i].value)});
  }
  std::sort(rows.begin(), rows.end());
  figure->Add(rows,
              absl::StrFormat("using 1:2 with lines linewidth 0.8 dashtype %s "
                              "linecolor rgb '%s'",
                              kDotted, color));
}

void AddCv(const Curve& curve, const std::vector<double>& places, const Axis& x,
           const Look& look, Figure* figure) {
  Figure::Rows rows;
  for (size_t i = 0; i < curve.points.size(); ++i) {
    const Point& point = curve.points[i];
    if (!Drawable(point)) continue;
    if (const auto cv = CvPercent(point); cv.has_value()) {
      rows.push_back({places[i], *cv});
    } else {
      figure->Note(point.replicates < 2 ? "single run" : "no CV of 0",
                   {x.Place(places[i]), 0, 0, 6, "left", true}, kNoteInk);
    }
  }
  figure->Add(rows,
              absl::StrFormat("using 1:2 with impulses linewidth 2 linecolor rgb "
                              "'%s'",
                              look.color));
  figure->Add(rows,
              absl::StrFormat("using 1:2 with points pointtype %d pointsize 0.75 "
                              "linecolor rgb '%s'",
                              look.mark, look.color));
}

}  // namespace

Figure Draft(const DistributionPlot& plot) {
  const std::vector<double> sizes = SizesOf(plot.curves);
  const Axis x = SlotAxis(sizes, plot.labels.n_unit, kRight - kLeft);
  const Axis y = ValueAxis(ValuesOf(plot.curves), plot.labels.value_unit);

  std::vector<LegendEntry> legend;
  std::vector<double> cvs;
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    legend.push_back({LegendEntry::Sign::kMark, std::string(LookOf(i).color),
                      LookOf(i).mark,
                      NameInLetters(CleanText(plot.curves[i].name), kNameLetters)});
    for (const Point& point : plot.curves[i].points) {
      if (Drawable(point)) cvs.push_back(CvPercent(point).value_or(0));
    }
  }
  for (LegendEntry& entry : Explanations(plot.curves, y)) {
    legend.push_back(std::move(entry));
  }

  Figure figure(plot.labels.title, legend,
                kUpperHeight + kGap + kLowerHeight + kBelow);
  const double upper_end = figure.top() + kUpperHeight;
  figure.BeginPanel({kLeft, kRight, figure.top(), upper_end});
  Axis unlabelled = x;
  for (Tick& tick : unlabelled.ticks) tick.label.clear();
  figure.XAxis(unlabelled, "");
  figure.YAxis(y, plot.labels.value);
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const std::vector<double> places =
        PlacesOf(plot.curves[i], Shift(i, plot.curves.size()), sizes);
    AddTrend(plot.curves[i], places, y, LookOf(i).color, &figure);
    AddPoints(plot.curves[i].points, places, y, LookOf(i), &figure);
  }
  figure.EndPanel();

  figure.BeginPanel({kLeft, kRight, upper_end + kGap, figure.height() - kBelow});
  figure.XAxis(x, plot.labels.n);
  figure.YAxis(PercentAxis(cvs), "CV");
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    AddCv(plot.curves[i],
          PlacesOf(plot.curves[i], Shift(i, plot.curves.size()), sizes), x,
          LookOf(i), &figure);
  }
  figure.EndPanel();
  return figure;
}

}  // namespace mallogram::plot
