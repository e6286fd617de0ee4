// What is left after close, in bytes and as a share: a share that stays while bytes
// grow is a leak by size.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "analyzer/plot/scripts.h"
#include "analyzer/plot/series.h"

namespace mallogram::plot {
namespace {

constexpr double kUpperHeight = 190, kLowerHeight = 150, kGap = 16, kBelow = 48;
constexpr double kLeft = 76, kRight = kWidth - 20;

void AddSeries(const std::vector<Point>& points, const Axis& y, const Look& look,
               Figure* figure) {
  Figure::Rows rows;
  std::vector<double> places;
  for (const Point& point : points) {
    places.push_back(point.n);
    if (Drawable(point)) rows.push_back({point.n, y.Show(point.value)});
  }
  std::sort(rows.begin(), rows.end());
  figure->Add(rows,
              absl::StrFormat("using 1:2 with lines linewidth 1 linecolor rgb '%s'",
                              look.color));
  AddPoints(points, places, y, look, figure);
}

std::vector<Point> InPercent(std::vector<Point> shares) {
  for (Point& point : shares) {
    point.value *= 100;
    point.sd *= 100;
    if (point.low.has_value()) *point.low *= 100;
    if (point.high.has_value()) *point.high *= 100;
  }
  return shares;
}

}  // namespace

Figure Draft(const ResidualPlot& plot) {
  const std::vector<Point> share = InPercent(plot.share);
  std::vector<Curve> curves(2);
  curves[0].points = plot.residual;
  curves[1].points = share;
  const Axis x = LogAxis(SizesOf(curves), plot.labels.n_unit, 4);
  const Axis bytes = ValueAxis(ValuesOf({curves[0]}), plot.labels.value_unit);
  const Axis percent = PercentAxis(ValuesOf({curves[1]}));

  Figure figure(plot.labels.title, Explanations({curves[0]}, bytes),
                kUpperHeight + kGap + kLowerHeight + kBelow);
  const double upper_end = figure.top() + kUpperHeight;
  figure.BeginPanel({kLeft, kRight, figure.top(), upper_end});
  Axis unlabelled = x;
  for (Tick& tick : unlabelled.ticks) tick.label.clear();
  figure.XAxis(unlabelled, "");
  figure.YAxis(bytes, plot.labels.value);
  AddSeries(plot.residual, bytes, LookOf(0), &figure);
  figure.EndPanel();

  figure.BeginPanel({kLeft, kRight, upper_end + kGap, figure.height() - kBelow});
  figure.XAxis(x, plot.labels.n);
  figure.YAxis(percent, "share of the highest");
  AddSeries(share, percent, LookOf(1), &figure);
  figure.EndPanel();
  return figure;
}

}  // namespace mallogram::plot
