// The gnuplot script of every kind of plot. Pure: the same script for the same
// plot.
#pragma once

#include "analyzer/plot/figure.h"
#include "analyzer/plot/plots.h"

namespace mallogram::plot {

Figure Draft(const ScalingPlot& plot);
Figure Draft(const DistributionPlot& plot);
Figure Draft(const EfficiencyPlot& plot);
Figure Draft(const DecompositionPlot& plot);
Figure Draft(const ResidualPlot& plot);

}  // namespace mallogram::plot
