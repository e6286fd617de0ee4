// summary.json: all that the texts say, with every digit and every replicate, for
// programs. Keys are stable; "schema_version" tells of changes.
#include <cmath>
#include <nlohmann/json.hpp>

#include "analyzer/scaling/render_fit.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/report/render_study.h"

namespace mallogram::study {
namespace {

// ordered: what was asked for first, then what came out.
using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

Json Finite(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
Json Optional(const std::optional<double>& value) {
  return value.has_value() ? Finite(*value) : Json(nullptr);
}
std::string Name(absl::string_view text) { return std::string(text); }

Json StatisticsJson(const Statistics& s) {
  return {{"count", s.count},       {"median", Finite(s.median)},
          {"mean", Finite(s.mean)}, {"low", Finite(s.low)},
          {"high", Finite(s.high)}, {"p25", Finite(s.p25)},
          {"p75", Finite(s.p75)},   {"sd", Optional(s.sd)},
          {"cv", Optional(s.cv)}};
}

Json FitJson(const fit::SeriesFit& fit, bool alarm,
             const std::optional<double>& budget) {
  // Parsed again rather than built twice: one place knows how a fit is written.
  Json one =
      Json::parse(fit::RenderFitJson({{"", fit, alarm}}, budget))["series"][0];
  one.erase("id");
  return one;
}

Json ColumnsJson(const std::vector<Column>& specs,
                 const std::vector<Statistics>& values) {
  Json columns = Json::array();
  for (size_t i = 0; i < specs.size() && i < values.size(); ++i) {
    Json one = {{"title", specs[i].title}, {"quantity", specs[i].value}};
    one.update(StatisticsJson(values[i]));
    columns.push_back(one);
  }
  return columns;
}

Json MapJson(const std::map<std::string, Statistics>& values) {
  Json json = Json::object();
  for (const auto& [name, statistics] : values) {
    json[name] = StatisticsJson(statistics);
  }
  return json;
}

Json RowJson(const TableSpec& spec, const Row& row) {
  Json metrics = Json::object();
  for (size_t i = 0; i < kProgramMetrics; ++i) {
    metrics[Name(MetricName(static_cast<Metric>(i)))] =
        StatisticsJson(row.metrics[i]);
  }
  return {{"size", row.size},
          {"n", row.n},
          {"value", StatisticsJson(row.value)},
          {"units", Finite(row.units)},
          {"per_unit", Optional(row.per_unit)},
          {"published", Optional(row.published)},
          {"metrics", metrics},
          {"columns", ColumnsJson(spec.columns, row.columns)},
          {"ratios", ColumnsJson(spec.ratios, row.ratios)},
          {"phases", MapJson(row.phases)},
          {"groups", MapJson(row.groups)},
          {"residual", Optional(row.residual)},
          {"residual_share", Optional(row.residual_share)}};
}

Json TermJson(const fit::SiteTerm& term) {
  return {{"constant", Finite(term.constant)},
          {"factor", Finite(term.factor)},
          {"exponent", Finite(term.exponent)}};
}

Json SiteJson(const Scaling& scaling, const std::vector<CallSite>& sites,
              const SiteScaling& site) {
  Json json = Json::object();
  if (site.site == SiteScaling::kOthers) {
    json["others"] = scaling.small_sites;
  } else if (site.site < sites.size()) {
    const CallSite& place = sites[site.site];
    json["id"] = place.id;
    json["function"] = place.function;
    json["file"] = place.file;
    json["line"] = place.line;
    json["stack"] = Json::array();
    for (const StackFrame& frame : place.stack) {
      json["stack"].push_back({{"function", frame.function},
                               {"file", frame.file},
                               {"line", frame.line}});
    }
  }
  json["at_largest"] = Finite(site.at_largest);
  json["at_target"] = Finite(site.at_target);
  static constexpr const char* kSource[] = {"measured", "predicted", "term"};
  json["at_target_source"] = kSource[static_cast<size_t>(site.source)];
  json["term"] = TermJson(site.term);
  json["metrics"] = Json::object();
  for (size_t i = 0; i < kSiteMetrics; ++i) {
    json["metrics"][Name(MetricName(static_cast<Metric>(i)))] =
        FitJson(site.metrics[i].fit, site.metrics[i].alarm, std::nullopt);
  }
  return json;
}

Json ScalingJson(const VariantResult& variant) {
  const Scaling& scaling = variant.scaling;
  Json json = {{"by", Name(MetricName(scaling.by))},
               {"target", scaling.target},
               {"sizes", scaling.sizes},
               {"program", Json::object()},
               {"decomposition", nullptr},
               {"sites", Json::array()},
               {"warnings", scaling.warnings}};
  for (size_t i = 0; i < kProgramMetrics; ++i) {
    json["program"][Name(MetricName(static_cast<Metric>(i)))] =
        FitJson(scaling.program[i].fit, scaling.program[i].alarm, std::nullopt);
  }
  if (scaling.decomposition.has_value()) {
    const fit::Decomposition& sum = *scaling.decomposition;
    json["decomposition"] = {{"constant", Finite(sum.constant)},
                             {"linear", Finite(sum.linear)},
                             {"remainder", TermJson(sum.remainder)},
                             {"largest_remainder", Finite(sum.largest_remainder)},
                             {"crossover", Optional(sum.crossover)}};
  }
  for (const SiteScaling& site : scaling.sites) {
    json["sites"].push_back(SiteJson(scaling, variant.call_sites, site));
  }
  return json;
}

Json VariantJson(const TableSpec& spec, const VariantResult& variant) {
  Json json = {{"name", variant.name},
               {"command", variant.command},
               {"directory", variant.directory},
               {"phases", variant.phases},
               {"rows", Json::array()},
               {"fit", FitJson(variant.value_fit, false, spec.budget)},
               {"residual_fit", nullptr},
               {"hints", Hints(spec, variant)},
               {"scaling", ScalingJson(variant)}};
  for (const Row& row : variant.rows) json["rows"].push_back(RowJson(spec, row));
  if (variant.residual_fit.has_value()) {
    json["residual_fit"] = FitJson(*variant.residual_fit, false, std::nullopt);
  }
  return json;
}

Json TableJson(const TableResult& table) {
  const TableSpec& spec = table.spec;
  Json json = {{"id", spec.id},
               {"title", spec.words.title},
               {"note", spec.words.note},
               {"parameter", spec.words.parameter},
               {"sizes", spec.runs.sizes},
               {"reps", spec.runs.reps},
               {"warm_up", spec.runs.warm_up},
               {"unit", spec.unit},
               {"units", spec.units},
               {"value", spec.value},
               {"value_title", spec.words.value_title},
               {"budget", Optional(spec.budget)},
               {"unit_budget", Optional(spec.unit_budget)},
               {"estimate", Optional(spec.estimate)},
               {"published_text", spec.words.published_text},
               {"baseline", spec.baseline},
               {"variants", Json::array()}};
  for (const VariantResult& variant : table.variants) {
    json["variants"].push_back(VariantJson(spec, variant));
  }
  return json;
}

Json CriterionJson(const CriterionResult& criterion) {
  static constexpr const char* kStatus[] = {"pass", "fail", "undecided"};
  static constexpr const char* kWhat[] = {"value", "law", "cv", "residual"};
  return {{"name", criterion.spec.name},
          {"table", criterion.spec.table},
          {"variant", criterion.spec.variant},
          {"what", kWhat[static_cast<size_t>(criterion.spec.what)]},
          {"value", criterion.spec.value},
          {"n", Optional(criterion.spec.n)},
          {"target", criterion.spec.target},
          {"measured", criterion.measured},
          {"interval", criterion.interval},
          {"status", kStatus[static_cast<size_t>(criterion.status)]},
          {"reason", criterion.reason}};
}

}  // namespace

std::string RenderStudyJson(const StudyResult& result) {
  Json groups = Json::array();
  for (const Group& group : result.spec.groups) {
    groups.push_back(
        {{"name", group.name}, {"title", group.title}, {"match", group.match}});
  }
  Json json = {{"schema_version", kSchemaVersion},
               {"study", result.spec.name},
               {"title", result.spec.title},
               {"description", result.spec.description},
               {"source", result.spec.source},
               {"file", result.spec.file},
               {"program", result.spec.program},
               {"configuration", result.configuration},
               {"reproduce", result.reproduce},
               {"seconds", Finite(result.seconds)},
               {"groups", groups},
               {"criteria", Json::array()},
               {"tables", Json::array()},
               {"warnings", result.warnings}};
  for (const CriterionResult& criterion : result.criteria) {
    json["criteria"].push_back(CriterionJson(criterion));
  }
  for (const TableResult& table : result.tables) {
    json["tables"].push_back(TableJson(table));
  }
  // Names come from programs: what is no UTF-8 in them must not throw.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mallogram::study
