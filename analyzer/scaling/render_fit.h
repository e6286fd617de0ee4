// Fitted series as JSON and as text. No computing.
#pragma once

#include <string>
#include <vector>

#include "analyzer/fit/fit.h"

namespace mallogram::fit {

struct NamedFit {
  std::string id;
  SeriesFit fit;
  bool alarm = false;  // under the false discovery rate, over all series
};

std::string RenderFitJson(const std::vector<NamedFit>& fits,
                          std::optional<double> budget);

// "linear, with constant: high confidence".
std::string VerdictText(const SeriesFit& fit, bool ascii);

struct FitTextStyle {
  bool color = false;
  bool utf8 = true;
};
std::string RenderFitText(const std::vector<NamedFit>& fits,
                          std::optional<double> budget, const FitTextStyle& style);

}  // namespace mallogram::fit
