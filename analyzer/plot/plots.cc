#include "analyzer/plot/plots.h"

#include "analyzer/plot/gnuplot.h"
#include "analyzer/plot/scripts.h"

namespace mallogram::plot {
namespace {

template <typename Plot>
absl::Status DrawDraft(const Plot& plot, absl::string_view stem) {
  const Figure figure = Draft(plot);
  return RunGnuplot(figure.Script(), figure.height(), stem);
}

}  // namespace

absl::Status Draw(const ScalingPlot& plot, absl::string_view stem) {
  return DrawDraft(plot, stem);
}
absl::Status Draw(const DistributionPlot& plot, absl::string_view stem) {
  return DrawDraft(plot, stem);
}
absl::Status Draw(const EfficiencyPlot& plot, absl::string_view stem) {
  return DrawDraft(plot, stem);
}
absl::Status Draw(const DecompositionPlot& plot, absl::string_view stem) {
  return DrawDraft(plot, stem);
}
absl::Status Draw(const ResidualPlot& plot, absl::string_view stem) {
  return DrawDraft(plot, stem);
}

}  // namespace mallogram::plot
