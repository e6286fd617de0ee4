// One series, fitted: everything that is said of it. The engine's front door.
//
// Pure: no I/O, no globals, the same answer for the same data. About half a
// millisecond for eight sizes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "analyzer/fit/exponent.h"
#include "analyzer/fit/growth.h"
#include "analyzer/fit/law.h"
#include "analyzer/fit/many_sites.h"
#include "analyzer/fit/predict.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

// Fewer sizes, or a smaller range, have no law.
inline constexpr size_t kFewestSizes = 4;
inline constexpr double kSmallestRange = 4;

struct FitRequest {
  std::vector<double> predict;   // sizes
  std::optional<double> budget;  // bytes
};

struct Flag {
  std::string name;  // stable, for programs: "outlier"
  std::string text;  // for people
};

struct Parameter {
  std::string name;  // "constant", "factor", "exponent" …
  double value = 0, low = 0, high = 0;
};

struct RefusedPrediction {
  double n = 0;
  std::string reason;
};

struct SeriesFit {
  Series series;
  Growth growth = Growth::kUndetermined;
  Growth leading = Growth::kUndetermined;  // of the greatest weight, sure or not
  Word word = Word::kNotEnoughData;
  std::optional<Group>
      group;  // of `growth`, or if that is undetermined the likely one
  Word group_word = Word::kNotEnoughData;

  std::optional<Law> law;  // the best of its class; of all, if undetermined
  std::vector<Parameter> parameters;
  std::optional<Exponent> exponent;
  std::optional<double> local_slope;  // at the largest size
  GrowthWeights weights{};            // all 0: nothing was fitted
  std::optional<double> stability;
  std::optional<double> residual_sd;
  std::optional<double> growth_at_most;  // of a constant, as a share
  std::optional<Law> without_outlier;    // the best law of the other sizes
  SuperlinearTest superlinear;           // for Alarms(), over all series
  std::vector<Flag> flags;

  std::vector<Prediction> predictions;
  std::vector<RefusedPrediction> refused;
  std::optional<Predictor::Budget> budget;
  std::string refusal;  // why no class, or why no figure; "": nothing was refused
};

// `quantum` 0: guess. REQUIRES: every n > 0 and finite, every y >= 0 and finite; at
// least one measurement.
SeriesFit FitSeries(std::vector<Measurement> measurements, double quantum,
                    const FitRequest& request);

}  // namespace mallogram::fit
