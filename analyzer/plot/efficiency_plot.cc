// Ratios by size, on a log scale: half and twice as much are equally far from 1.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "analyzer/plot/scripts.h"
#include "analyzer/plot/series.h"
#include "analyzer/plot/text.h"

namespace mallogram::plot {
namespace {

constexpr double kPanelHeight = 330;
constexpr double kLeft = 76, kRight = kWidth - 20, kBelow = 48;
constexpr size_t kNameLetters = 60;
constexpr double kLeastFactor = 4;

void AddTrend(const Curve& curve, const Axis& y, absl::string_view color,
              Figure* figure) {
  Figure::Rows rows;
  for (const Point& point : curve.points) {
    if (Drawable(point)) rows.push_back({point.n, y.Show(point.value)});
  }
  std::sort(rows.begin(), rows.end());
  figure->Add(
      rows, absl::StrFormat("using 1:2 with lines linewidth 1.3 linecolor rgb '%s'",
                            color));
}

}  // namespace

Figure Draft(const EfficiencyPlot& plot) {
  const Axis x = LogAxis(SizesOf(plot.ratios), plot.labels.n_unit, 4);
  const Axis y =
      LogAxis(ValuesOf(plot.ratios), plot.labels.value_unit, kLeastFactor);

  std::vector<LegendEntry> legend;
  for (size_t i = 0; i < plot.ratios.size(); ++i) {
    legend.push_back({LegendEntry::Sign::kMarkOnLine, std::string(LookOf(i).color),
                      LookOf(i).mark,
                      NameInLetters(CleanText(plot.ratios[i].name), kNameLetters)});
  }
  for (LegendEntry& entry : Explanations(plot.ratios, y)) {
    legend.push_back(std::move(entry));
  }

  Figure figure(plot.labels.title, legend, kPanelHeight);
  figure.BeginPanel({kLeft, kRight, figure.top(), figure.height() - kBelow});
  figure.XAxis(x, plot.labels.n);
  figure.YAxis(y, plot.labels.value);
  if (plot.labels.value_unit == Unit::kPlain && y.low < 1 && y.high > 1) {
    figure.Add({{x.low, 1}, {x.high, 1}},
               absl::StrFormat("using 1:2 with lines linewidth 1.2 dashtype %s "
                               "linecolor rgb '%s'",
                               kDotted, kNoteInk));
  }
  for (size_t i = 0; i < plot.ratios.size(); ++i) {
    const std::vector<Point>& points = plot.ratios[i].points;
    std::vector<double> places;
    for (const Point& point : points) places.push_back(point.n);
    AddTrend(plot.ratios[i], y, LookOf(i).color, &figure);
    AddPoints(points, places, y, LookOf(i), &figure);
  }
  figure.EndPanel();
  return figure;
}

}  // namespace mallogram::plot
