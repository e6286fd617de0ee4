// A Scaling as text and as JSON. No computing but shares and sums of what is shown.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/command/terminal.h"
#include "analyzer/scaling/runs.h"
#include "analyzer/scaling/scaling.h"

namespace mallogram {

struct ScalingTextOptions {
  Style style;
  std::string parameter = "n";   // what n is called
  std::optional<double> budget;  // as in the request
  size_t top = 20;               // call sites; 0: all
  double least_shown = 0.001;    // share of the sum; alarms are always shown
  size_t depth = 2;              // callers of each; 0: none
  bool full_names = false;
};

// `sites`: those that `scaling` was made of (Runs::sites).
std::string RenderScalingText(const Scaling& scaling,
                              const std::vector<CallSite>& sites,
                              const ScalingTextOptions& options);

// One object. `series` as `fit --data --json` prints them; the program's by the
// metric of the analysis has the id "program", and that of a call site the call
// site's id; those of other metrics have ":METRIC" after it.
std::string RenderScalingJson(const Scaling& scaling,
                              const std::vector<CallSite>& sites,
                              const std::string& parameter,
                              std::optional<double> budget);

}  // namespace mallogram
