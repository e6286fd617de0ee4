// Fits for programs: points, law, intervals, and the reason where there is no law.
#include <cmath>

#include "analyzer/scaling/series_json.h"

namespace mallogram::fit {
namespace {

using Json = nlohmann::ordered_json;

std::string Name(absl::string_view text) { return std::string(text); }

Json Finite(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

template <typename T>
Json Optional(const std::optional<T>& value) {
  return value.has_value() ? Finite(*value) : Json(nullptr);
}

Json IntervalJson(double value, double low, double high) {
  return {{"value", Finite(value)}, {"low", Finite(low)}, {"high", Finite(high)}};
}

Json SizesJson(const Series& series) {
  Json sizes = Json::array();
  for (const SizeStats& size : series.sizes) {
    sizes.push_back({{"n", size.n},
                     {"bytes", size.median},
                     {"replicates", size.replicates},
                     {"sd", Optional(size.sd)}});
  }
  return sizes;
}

Json PredictionsJson(const SeriesFit& fit) {
  Json predictions = Json::array();
  for (const Prediction& p : fit.predictions) {
    Json one = {{"n", p.n}};
    one.update(IntervalJson(p.value, p.low, p.high));
    one["factor"] = p.low > 0 ? Finite(p.high / p.low) : Json(nullptr);
    predictions.push_back(one);
  }
  return predictions;
}

}  // namespace

Json SeriesJson(const NamedFit& named, std::optional<double> budget) {
  const SeriesFit& fit = named.fit;
  Json json = {{"id", named.id},
               {"class", Name(GrowthName(fit.growth))},
               {"coarse", nullptr},
               {"word", Name(WordName(fit.word))},
               {"coarse_word", Name(WordName(fit.group_word))}};
  if (fit.group.has_value()) json["coarse"] = Name(GroupName(*fit.group));
  json["law"] = nullptr;
  json["modifiers"] = Json::array();
  if (fit.law.has_value()) {
    json["law"] = LawText(*fit.law);
    json["modifiers"] = Modifiers(*fit.law);
  }
  json["parameters"] = Json::object();
  for (const Parameter& p : fit.parameters) {
    json["parameters"][p.name] = IntervalJson(p.value, p.low, p.high);
  }
  json["exponent"] = nullptr;
  if (fit.exponent.has_value()) {
    json["exponent"] =
        IntervalJson(fit.exponent->value, fit.exponent->low, fit.exponent->high);
  }
  json["local_slope"] = Optional(fit.local_slope);
  json["weights"] = Json::object();
  for (size_t i = 0; i < kGrowthLaws && fit.law.has_value(); ++i) {
    json["weights"][Name(GrowthName(static_cast<Growth>(i)))] = fit.weights[i];
  }
  json["stability"] = Optional(fit.stability);
  json["residual_sd"] = Optional(fit.residual_sd);
  json["cv"] = Optional(fit.series.cv);
  json["quantum"] = fit.series.quantum;
  json["growth_at_most"] = Optional(fit.growth_at_most);
  json["flags"] = Json::array();
  json["notes"] = Json::array();
  for (const Flag& flag : fit.flags) {
    json["flags"].push_back(flag.name);
    json["notes"].push_back(flag.text);
  }
  json["without_outlier"] = nullptr;
  if (fit.without_outlier.has_value()) {
    json["without_outlier"] = {
        {"class", Name(GrowthName(fit.without_outlier->growth))},
        {"law", LawText(*fit.without_outlier)}};
  }
  json["superlinear_p"] = SuperlinearPValue(fit.superlinear);
  json["alarm"] = named.alarm;
  json["predictions"] = PredictionsJson(fit);
  json["refused"] = Json::array();
  for (const RefusedPrediction& refused : fit.refused) {
    json["refused"].push_back({{"n", refused.n}, {"reason", refused.reason}});
  }
  if (budget.has_value()) {
    json["budget"] = {{"bytes", *budget}, {"n", nullptr}, {"at_least", false}};
    if (fit.budget.has_value() && fit.budget->n > 0) {
      json["budget"]["n"] = fit.budget->n;
      json["budget"]["at_least"] = fit.budget->reached_limit;
    }
  }
  json["refusal"] = fit.refusal.empty() ? Json(nullptr) : Json(fit.refusal);
  json["sizes"] = SizesJson(fit.series);
  return json;
}

std::string RenderFitJson(const std::vector<NamedFit>& fits,
                          std::optional<double> budget) {
  Json json = {{"schema_version", kSchemaVersion}, {"series", Json::array()}};
  for (const NamedFit& fit : fits)
    json["series"].push_back(SeriesJson(fit, budget));
  // Names come from a file: what is no UTF-8 in them must not throw.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mallogram::fit
