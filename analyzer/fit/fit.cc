#include "analyzer/fit/fit.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/fit/covariance.h"
#include "analyzer/fit/distributions.h"
#include "analyzer/fit/family.h"
#include "analyzer/fit/flags.h"
#include "analyzer/fit/verdict.h"

namespace mallogram::fit {
namespace {

// Without replicates a fall this deep is worth a word, and no more than that.
constexpr double kFall = 0.03;
constexpr size_t kComfortableSizes = 5;

void AddFlag(SeriesFit* fit, absl::string_view name, std::string text) {
  fit->flags.push_back({std::string(name), std::move(text)});
}

void Refuse(SeriesFit* fit, const FitRequest& request, const std::string& reason) {
  fit->refusal = reason;
  for (double n : request.predict) fit->refused.push_back({n, reason});
}

std::string ParameterName(const Law& law, double Law::*member) {
  if (member == &Law::a) return "constant";
  if (member == &Law::d) return "linear factor";
  if (member == &Law::b) {
    if (law.form == Form::kConstant) return "constant";
    return law.form == Form::kMix ? "linear factor" : "factor";
  }
  switch (law.form) {
    case Form::kPower:
      return "exponent";
    case Form::kMix:
      return "quadratic factor";
    case Form::kShiftedLog:
      return "shift";
    case Form::kSteps:
      return "phase";
    case Form::kBounded:
      return "limit";
    default:
      return "start";
  }
}

void AddParameters(const Sample& sample, SeriesFit* fit) {
  const LawCovariance covariance(sample, *fit->law);
  const double t = StudentTQuantile(0.975, covariance.freedom());
  for (const LawCovariance::Parameter& p : covariance.parameters()) {
    fit->parameters.push_back({ParameterName(*fit->law, p.member), p.value,
                               p.value - t * p.error, p.value + t * p.error});
  }
  if (fit->law->form == Form::kSteps) {
    fit->parameters.push_back(
        {"ratio", fit->law->ratio, fit->law->ratio, fit->law->ratio});
    fit->parameters.push_back(
        {"phase", fit->law->c, fit->law->c, fit->law->c_high});
  }
}

void FlagMeasurements(SeriesFit* fit) {
  const Series& series = fit->series;
  const size_t sizes = series.sizes.size();
  if (!series.cv.has_value()) {
    AddFlag(fit, "single run", "single run: no replicates, no CV");
  }
  if (sizes >= kFewestSizes && sizes < kComfortableSizes) {
    AddFlag(fit, "few sizes",
            "few sizes: 6 or more over two decades make a firm verdict");
  }
  if (series.zero_prefix) {
    AddFlag(fit, "zero prefix",
            absl::StrFormat("nothing up to n = %.10g", series.positive.last_zero));
  }
}

void FlagLaw(const Family& family, SeriesFit* fit) {
  const Series& series = fit->series;
  const Sample& sample = series.positive;
  if (!series.cv.has_value() && CountFalls(sample, kFall) > 0) {
    AddFlag(fit, "non-monotone",
            "falls by more than 3 % from one size to the next");
  }
  if (const auto outlier = FindOutlier(sample, *fit->law)) {
    const Sample rest = sample.Without(outlier->index);
    fit->without_outlier = FitFamily(rest).best();
    AddFlag(fit, "outlier",
            absl::StrFormat("n = %.10g stands out (studentised residual %+.1f)",
                            sample.n[outlier->index], outlier->t));
  }
  const auto lack = TestLackOfFit(series, family.best());
  if (lack.has_value() && lack->significant) {
    AddFlag(
        fit, "lack of fit",
        absl::StrFormat("sizes disagree more than replicates do (F = %.0f): the "
                        "law does not explain the data",
                        lack->f));
  }
  if (const auto drift = FindDrift(sample, *fit->law)) {
    AddFlag(fit, "drift",
            absl::StrFormat("bytes per n change by %+.1f %% over the range",
                            *drift * 100));
  }
  if (fit->growth == Growth::kConstant) {
    fit->growth_at_most = GrowthAtMost(sample);
    AddFlag(
        fit, "no growth seen",
        absl::StrFormat("no growth seen: at most %.2g %% over the range (95 %%)",
                        *fit->growth_at_most * 100));
  }
}

void Predict(const Family& family, const FitRequest& request, SeriesFit* fit) {
  const Predictor predictor(fit->series.positive, family, *fit->law);
  for (double n : request.predict) {
    const Prediction prediction = predictor.At(n);
    if (const auto reason = predictor.Refuse(prediction)) {
      fit->refused.push_back({n, *reason});
      if (fit->refusal.empty()) fit->refusal = *reason;
    } else {
      fit->predictions.push_back(prediction);
    }
  }
  if (request.budget.has_value())
    fit->budget = predictor.LargestWithin(*request.budget);
}

// Series that no growth law describes. False: go on.
bool JudgeWithoutLaws(const FitRequest& request, SeriesFit* fit) {
  const Series& series = fit->series;
  const Sample& sample = series.positive;
  if (series.all_zero()) {
    fit->growth = Growth::kZero;
    fit->word = fit->group_word = Word::kHigh;
    for (double n : request.predict) fit->predictions.push_back({n, 0, 0, 0});
    return true;
  }
  if (series.zeros > 0 && !series.zero_prefix) {
    fit->growth = Growth::kErratic;
    fit->word = fit->group_word = Word::kHigh;
    AddFlag(fit, "zeros", "no bytes at some sizes between others that have some");
    Refuse(fit, request, "nothing follows from a series that comes and goes");
    return true;
  }
  if (sample.size() < kFewestSizes ||
      sample.MaxN() < kSmallestRange * sample.MinN() * (1 - 1e-12)) {
    Refuse(fit, request,
           absl::StrFormat(
               "not enough data: %d sizes over a factor %.3g; it takes %d over "
               "a factor %g",
               sample.size(), sample.MaxN() / sample.MinN(), kFewestSizes,
               kSmallestRange));
    return true;
  }
  if (IsDecreasing(sample)) {
    fit->growth = Growth::kDecreasing;
    fit->word = fit->group_word = Word::kHigh;
    Refuse(fit, request, "no law for a series that falls");
    return true;
  }
  return false;
}

std::string UndeterminedText(const Verdict& verdict, const Family& family,
                             const Predictor& predictor) {
  const auto weight = [&](Growth growth) {
    return family.weights[static_cast<size_t>(growth)];
  };
  return absl::StrFormat(
      "undetermined: %s (weight %.2f) or %s (%.2f); measure n = %.10g",
      GrowthName(verdict.leading), weight(verdict.leading),
      GrowthName(verdict.second), weight(verdict.second),
      predictor.SeparatingSize());
}

}  // namespace

SeriesFit FitSeries(std::vector<Measurement> measurements, double quantum,
                    const FitRequest& request) {
  SeriesFit fit;
  fit.series = Prepare(std::move(measurements), quantum);
  const Sample& sample = fit.series.positive;
  FlagMeasurements(&fit);
  if (JudgeWithoutLaws(request, &fit)) return fit;

  const Family family = FitFamily(sample);
  const Verdict verdict = Judge(sample, family, RefitWithoutOne(sample));
  fit.weights = family.weights;
  fit.stability = verdict.stability;
  fit.growth = verdict.growth;
  fit.leading = verdict.leading;
  fit.word = verdict.word;
  fit.group_word = verdict.group_word;
  if (verdict.group_word != Word::kUndetermined) fit.group = verdict.group;
  const bool determined = fit.growth != Growth::kUndetermined;
  fit.law = determined ? family.BestOf(fit.growth) : family.best();
  fit.residual_sd = ResidualSd(sample, *fit.law);
  fit.local_slope = LocalSlope(*fit.law, sample.MaxN());
  fit.exponent = FitExponent(sample, family, *fit.law);
  fit.superlinear = TestSuperlinear(sample);
  AddParameters(sample, &fit);
  if (IsErratic(fit.series, family.best())) {
    fit.growth = Growth::kErratic;
    fit.word = fit.group_word = Word::kHigh;
  }
  FlagLaw(family, &fit);
  if (fit.growth == Growth::kErratic) {
    Refuse(
        &fit, request,
        "sizes disagree far more than their replicates: measure again, each run in "
        "a fresh process");
  } else if (!determined) {
    const Predictor predictor(sample, family, *fit.law);
    Refuse(&fit, request, UndeterminedText(verdict, family, predictor));
  } else {
    Predict(family, request, &fit);
  }
  return fit;
}

}  // namespace mallogram::fit
