// A Scaling for programs: series as `fit --data --json` has them, and call sites.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "analyzer/scaling/render_scaling.h"
#include "analyzer/scaling/series_json.h"

namespace mallogram {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kOthersId[] = "others";

std::string Name(absl::string_view text) { return std::string(text); }

Json TermJson(const fit::SiteTerm& term) {
  return {{"constant", term.constant},
          {"factor", term.factor},
          {"exponent", term.exponent}};
}

class Writer {
 public:
  Writer(const Scaling& scaling, const std::vector<CallSite>& sites,
         std::optional<double> budget)
      : scaling_(scaling), sites_(sites), budget_(budget) {}

  std::string SiteId(const SiteScaling& site) const {
    return site.site == SiteScaling::kOthers ? kOthersId : sites_[site.site].id;
  }

  Json SeriesOf(Metric metric, const MetricFit& fit,
                const SiteScaling* site) const {
    std::string id = site == nullptr ? "program" : SiteId(*site);
    if (metric != scaling_.by) absl::StrAppend(&id, ":", MetricName(metric));
    Json json = fit::SeriesJson({id, fit.fit, fit.alarm}, budget_);
    json["metric"] = Name(MetricName(metric));
    for (const char* key : {"site", "function", "file", "line"})
      json[key] = nullptr;
    json["stack"] = Json::array();
    if (site == nullptr) return json;
    json["site"] = SiteId(*site);
    if (site->site != SiteScaling::kOthers) {
      const CallSite& call = sites_[site->site];
      json["function"] = call.function;
      if (!call.file.empty()) json["file"] = call.file;
      if (call.line != 0) json["line"] = call.line;
      for (const StackFrame& frame : call.stack) {
        json["stack"].push_back({{"function", frame.function},
                                 {"file", frame.file},
                                 {"line", frame.line},
                                 {"plumbing", frame.plumbing}});
      }
    }
    if (metric != scaling_.by) return json;
    constexpr const char* kSources[] = {"measured", "predicted", "term"};
    json["at_target"] = site->at_target;
    json["at_target_source"] = kSources[static_cast<size_t>(site->source)];
    if (scaling_.decomposition.has_value()) json["term"] = TermJson(site->term);
    return json;
  }

  Json SeriesJson() const {
    Json series = Json::array();
    const auto in_order = [this](auto add) {
      add(scaling_.by);
      for (size_t m = 0; m < kProgramMetrics; ++m) {
        if (static_cast<Metric>(m) != scaling_.by) add(static_cast<Metric>(m));
      }
    };
    in_order([&](Metric metric) {
      series.push_back(
          SeriesOf(metric, scaling_.program[static_cast<size_t>(metric)], nullptr));
    });
    for (const SiteScaling& site : scaling_.sites) {
      in_order([&](Metric metric) {
        if (metric == Metric::kRss) return;
        series.push_back(
            SeriesOf(metric, site.metrics[static_cast<size_t>(metric)], &site));
      });
    }
    return series;
  }

  Json DecompositionJson() const {
    if (!scaling_.decomposition.has_value()) return nullptr;
    const fit::Decomposition& parts = *scaling_.decomposition;
    constexpr const char* kTerms[] = {"constant", "linear", "steep"};
    Json json = {{"constant", parts.constant},
                 {"linear", parts.linear},
                 {"steep", Json::array()},
                 {"remainder", TermJson(parts.remainder)},
                 {"largest_remainder", parts.largest_remainder},
                 {"dominant", kTerms[static_cast<size_t>(parts.dominant)]},
                 {"crossover", nullptr}};
    for (const SiteScaling& site : scaling_.sites) {
      if (site.term.exponent <= 1) continue;
      Json term = {{"site", SiteId(site)}};
      term.update(TermJson(site.term));
      json["steep"].push_back(term);
    }
    if (parts.crossover.has_value()) json["crossover"] = *parts.crossover;
    return json;
  }

 private:
  const Scaling& scaling_;
  const std::vector<CallSite>& sites_;
  const std::optional<double> budget_;
};

}  // namespace

std::string RenderScalingJson(const Scaling& scaling,
                              const std::vector<CallSite>& sites,
                              const std::string& parameter,
                              std::optional<double> budget) {
  const Writer writer(scaling, sites, budget);
  const Json json = {{"schema_version", fit::kSchemaVersion},
                     {"parameter", parameter},
                     {"by", Name(MetricName(scaling.by))},
                     {"sizes", scaling.sizes},
                     {"target", scaling.target},
                     {"series", writer.SeriesJson()},
                     {"decomposition", writer.DecompositionJson()},
                     {"small_sites", scaling.small_sites},
                     {"warnings", scaling.warnings}};
  // Names come from files: what is no UTF-8 in them must not throw.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mallogram
