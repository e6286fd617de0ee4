// Plots to look at and to test with: as studies draw them, and ugly ones.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "analyzer/plot/plots.h"

namespace mallogram::plot {

// A name with everything that a program, gnuplot or XML may trip over.
extern const char kHostileName[];

ScalingPlot SessionsScaling();  // linear from 1 to 100, drawn to 1,000
ScalingPlot EncoderScaling();   // almost constant over six decades
ScalingPlot ChunksScaling();    // two variants and a budget
ScalingPlot SitesScaling();     // six laws, n from 1 to 1e8
DistributionPlot EncoderDistribution();
DistributionPlot ChunksDistribution();  // two variants
EfficiencyPlot EncoderEfficiency();
DecompositionPlot ChunksDecomposition();
ResidualPlot ChunksResidual();

struct Sample {
  std::string name;
  std::function<absl::Status(absl::string_view stem)> draw;
};
// All of the above, and ugly ones of every kind.
std::vector<Sample> AllSamples();

}  // namespace mallogram::plot
