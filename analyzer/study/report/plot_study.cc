#include "analyzer/study/report/plot_study.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "analyzer/plot/plots.h"
#include "analyzer/study/judge/criteria.h"

namespace mallogram::study {
namespace {

constexpr size_t kBandPoints = 48;
constexpr size_t kLayers = 8;
constexpr size_t kPeakMetric = static_cast<size_t>(Metric::kPeak);

plot::Point PointOf(double n, const Statistics& statistics) {
  plot::Point point;
  point.n = n;
  point.value = statistics.median;
  point.sd = statistics.sd.value_or(0);
  point.replicates = statistics.count;
  point.low = statistics.low;
  point.high = statistics.high;
  return point;
}

// The law and its band, from the smallest size to the largest for which there is a
// figure.
std::vector<plot::BandPoint> Band(const TableSpec& table,
                                  const VariantResult& variant) {
  std::vector<plot::BandPoint> band;
  const double first = variant.rows.front().n, measured = variant.rows.back().n;
  if (first >= measured) return band;
  double last = measured;
  for (const fit::Prediction& prediction : variant.value_fit.predictions) {
    last = std::max(last, prediction.n);
  }
  fit::FitRequest request;
  const double step = std::log(last / first) / (kBandPoints - 1);
  for (size_t i = 0; i < kBandPoints; ++i) {
    const double n = first * std::exp(step * static_cast<double>(i));
    // The bend from line to dashes is where the data end.
    if (n > measured && !request.predict.empty() &&
        request.predict.back() < measured) {
      request.predict.push_back(measured);
    }
    request.predict.push_back(i + 1 == kBandPoints ? last : n);
  }
  std::vector<fit::Measurement> values;
  for (const Row& row : variant.rows) {
    for (const double value : row.value.values) {
      values.push_back({row.n, std::max(0.0, value)});
    }
  }
  const double quantum = table.value == "rss" ? 4096 : 0;
  const fit::SeriesFit fit = fit::FitSeries(std::move(values), quantum, request);
  for (const fit::Prediction& p : fit.predictions) {
    band.push_back({p.n, p.value, p.low, p.high});
  }
  return band;
}

class TablePlots {
 public:
  TablePlots(const StudySpec& study, const TableResult& table,
             const std::string& directory, std::vector<PlotFile>* files)
      : study_(study),
        table_(table),
        spec_(table.spec),
        directory_(directory),
        files_(files) {}

  absl::Status Draw() {
    absl::Status status = DrawScaling();
    if (status.ok()) status = DrawDistribution();
    if (status.ok()) status = DrawEfficiency();
    for (const VariantResult& variant : table_.variants) {
      if (status.ok()) status = DrawSites(variant);
      if (status.ok()) status = DrawGroups(variant);
      if (status.ok()) status = DrawResidual(variant);
    }
    return status;
  }

 private:
  template <typename Plot>
  absl::Status Add(const Plot& plot, absl::string_view kind,
                   absl::string_view variant, const std::string& title) {
    const std::string name =
        absl::StrCat(spec_.id, variant.empty() ? "" : ".", variant, "-", kind);
    const std::string stem = absl::StrCat(directory_, "/plots/", name);
    const absl::Status status = plot::Draw(plot, stem);
    if (status.ok()) {
      files_->push_back({spec_.id, title, absl::StrCat("plots/", name, ".svg")});
    }
    return status;
  }

  plot::Labels LabelsOf(absl::string_view title, absl::string_view value,
                        plot::Unit unit) const {
    plot::Labels labels;
    labels.title = absl::StrCat(spec_.words.title, ": ", title);
    labels.n = spec_.words.parameter;
    labels.value = std::string(value);
    labels.value_unit = unit;
    return labels;
  }

  std::string NameOf(const VariantResult& variant) const {
    return variant.name.empty() ? spec_.words.value_title : variant.name;
  }

  // Curves of the value, a variant each.
  std::vector<plot::Curve> Curves(bool with_laws) const {
    std::vector<plot::Curve> curves;
    for (const VariantResult& variant : table_.variants) {
      plot::Curve curve;
      curve.name = NameOf(variant);
      for (const Row& row : variant.rows) {
        curve.points.push_back(PointOf(row.n, row.value));
      }
      if (with_laws) {
        curve.law = Band(spec_, variant);
        curve.law_text = VerdictText(variant.value_fit);
      }
      curves.push_back(std::move(curve));
    }
    return curves;
  }

  absl::Status DrawScaling() {
    if (table_.variants.front().rows.size() < 2) return absl::OkStatus();
    plot::ScalingPlot plot;
    plot.labels = LabelsOf("growth", spec_.words.value_title, plot::Unit::kBytes);
    plot.curves = Curves(true);
    plot.budget = spec_.budget;
    return Add(plot, "scaling", "", "Growth, with laws and 95 % bands");
  }

  absl::Status DrawDistribution() {
    plot::DistributionPlot plot;
    plot.labels =
        LabelsOf("distribution", spec_.words.value_title, plot::Unit::kBytes);
    plot.curves = Curves(false);
    return Add(plot, "distribution", "", "Distribution by size, and CV");
  }

  absl::Status DrawEfficiency() {
    if (!spec_.ratios.empty()) {
      plot::EfficiencyPlot plot;
      for (const VariantResult& variant : table_.variants) {
        for (size_t i = 0; i < spec_.ratios.size(); ++i) {
          plot::Curve curve;
          curve.name = spec_.ratios[i].title;
          if (!variant.name.empty())
            absl::StrAppend(&curve.name, ", ", variant.name);
          for (const Row& row : variant.rows) {
            curve.points.push_back(PointOf(row.n, row.ratios[i]));
          }
          plot.ratios.push_back(std::move(curve));
        }
      }
      plot.labels = LabelsOf(
          "efficiency", spec_.ratios.size() == 1 ? spec_.ratios[0].title : "ratio",
          spec_.ratios[0].bytes ? plot::Unit::kBytes : plot::Unit::kPlain);
      const absl::Status status = Add(plot, "efficiency", "", "Efficiency");
      if (!status.ok()) return status;
    }
    if (spec_.unit.empty()) return absl::OkStatus();
    plot::EfficiencyPlot plot;
    for (const VariantResult& variant : table_.variants) {
      plot::Curve curve;
      curve.name = NameOf(variant);
      for (const Row& row : variant.rows) {
        if (!row.per_unit.has_value()) continue;
        plot::Point point = PointOf(row.n, row.value);
        point.value = *row.per_unit;
        point.sd /= row.units;
        *point.low /= row.units;
        *point.high /= row.units;
        curve.points.push_back(point);
      }
      plot.ratios.push_back(std::move(curve));
    }
    const std::string title = absl::StrCat("Bytes a ", spec_.unit);
    plot.labels =
        LabelsOf(absl::StrCat("bytes a ", spec_.unit), title, plot::Unit::kBytes);
    return Add(plot, "unit", "", title);
  }

  static std::string SiteName(const VariantResult& variant, size_t site) {
    const CallSite& call_site = variant.call_sites[site];
    if (call_site.file.empty()) return call_site.function;
    const size_t slash = call_site.file.rfind('/');
    return absl::StrCat(call_site.function, " (",
                        slash == std::string::npos
                            ? call_site.file
                            : call_site.file.substr(slash + 1),
                        ":", call_site.line, ")");
  }

  absl::Status DrawSites(const VariantResult& variant) {
    const Scaling& scaling = variant.scaling;
    if (scaling.sizes.size() < 2 || scaling.sites.empty()) return absl::OkStatus();
    plot::DecompositionPlot plot;
    plot.labels = LabelsOf("call sites at the peak", "heap bytes at the peak",
                           plot::Unit::kBytes);
    plot.n = scaling.sizes;
    std::vector<const SiteScaling*> sites;
    for (const SiteScaling& site : scaling.sites) sites.push_back(&site);
    const auto largest = [](const SiteScaling* site) {
      const auto& sizes = site->metrics[kPeakMetric].fit.series.sizes;
      return sizes.empty() ? 0 : sizes.back().median;
    };
    std::stable_sort(sites.begin(), sites.end(),
                     [&](const SiteScaling* a, const SiteScaling* b) {
                       return largest(a) > largest(b);
                     });
    plot::DecompositionPlot::Layer others;
    others.name = "all others";
    others.others = true;
    others.bytes.resize(plot.n.size());
    bool any_others = false;
    for (const SiteScaling* site : sites) {
      std::vector<double> bytes(plot.n.size());
      for (const fit::SizeStats& size :
           site->metrics[kPeakMetric].fit.series.sizes) {
        const auto at = std::find(plot.n.begin(), plot.n.end(), size.n);
        if (at != plot.n.end()) {
          bytes[static_cast<size_t>(at - plot.n.begin())] = size.median;
        }
      }
      if (site->site != SiteScaling::kOthers && plot.layers.size() < kLayers) {
        plot.layers.push_back({SiteName(variant, site->site), bytes, false});
        continue;
      }
      any_others = true;
      for (size_t i = 0; i < bytes.size(); ++i) others.bytes[i] += bytes[i];
    }
    if (any_others) plot.layers.push_back(std::move(others));
    return Add(plot, "decomposition", variant.name,
               TitleOf("By call site, at the peak", variant));
  }

  absl::Status DrawGroups(const VariantResult& variant) {
    if (study_.groups.empty() || variant.rows.size() < 2) return absl::OkStatus();
    plot::DecompositionPlot plot;
    plot.labels = LabelsOf("components at the peak", "heap bytes at the peak",
                           plot::Unit::kBytes);
    std::vector<double> rest;
    for (const Row& row : variant.rows) {
      plot.n.push_back(row.n);
      rest.push_back(row.metrics[kPeakMetric].median);
    }
    for (const Group& group : study_.groups) {
      plot::DecompositionPlot::Layer layer;
      layer.name = group.title;
      double most = 0;
      for (size_t i = 0; i < variant.rows.size(); ++i) {
        layer.bytes.push_back(variant.rows[i].groups.at(group.name).median);
        rest[i] -= layer.bytes.back();
        most = std::max(most, layer.bytes.back());
      }
      if (most > 0) plot.layers.push_back(std::move(layer));
    }
    if (plot.layers.empty()) return absl::OkStatus();
    // A call site may be of two groups: then nothing is left, and less.
    for (double& bytes : rest) bytes = std::max(0.0, bytes);
    plot.layers.push_back({"everything else", rest, true});
    return Add(plot, "components", variant.name,
               TitleOf("By component, at the peak", variant));
  }

  absl::Status DrawResidual(const VariantResult& variant) {
    if (!spec_.residual.has_value()) return absl::OkStatus();
    plot::ResidualPlot plot;
    plot.labels = LabelsOf("residual", "bytes left", plot::Unit::kBytes);
    for (const Row& row : variant.rows) {
      plot::Point point;
      point.n = row.n;
      point.replicates = row.value.count;
      point.value = std::max(0.0, row.residual.value_or(0));
      plot.residual.push_back(point);
      if (!row.residual_share.has_value()) continue;
      point.value = std::max(0.0, *row.residual_share);
      plot.share.push_back(point);
    }
    return Add(plot, "residual", variant.name,
               TitleOf("What is left after close", variant));
  }

  static std::string TitleOf(absl::string_view title,
                             const VariantResult& variant) {
    return variant.name.empty() ? std::string(title)
                                : absl::StrCat(title, ": ", variant.name);
  }

  const StudySpec& study_;
  const TableResult& table_;
  const TableSpec& spec_;
  const std::string& directory_;
  std::vector<PlotFile>* const files_;
};

}  // namespace

absl::StatusOr<std::vector<PlotFile>> DrawPlots(const StudyResult& result,
                                                const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory + "/plots", error);
  std::vector<PlotFile> files;
  for (const TableResult& table : result.tables) {
    const absl::Status status =
        TablePlots(result.spec, table, directory, &files).Draw();
    if (!status.ok()) return status;
  }
  return files;
}

}  // namespace mallogram::study
