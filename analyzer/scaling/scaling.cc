#include "analyzer/scaling/scaling.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/types/span.h"
#include "analyzer/fit/fit_all.h"
#include "analyzer/fit/growth.h"

namespace mallogram {
namespace {

// Resident sets are counted in pages.
constexpr double kPage = 4096;

size_t Index(Metric metric) { return static_cast<size_t>(metric); }

// Every site's values in every run, 0 where it has none; small sites together in
// the last row.
struct Values {
  std::vector<size_t> sites;  // in Runs::sites; kOthers last, if there are any
  size_t small_sites = 0;
  // By row, run, metric.
  std::vector<std::vector<std::array<double, kSiteMetrics>>> rows;
};

Values Collect(const Runs& runs, double least_share) {
  std::vector<bool> large(runs.sites.size(), false), seen(runs.sites.size(), false);
  for (const Run& run : runs.runs) {
    for (const SiteValues& site : run.sites) {
      seen[site.site] = true;
      for (size_t m = 0; m < kSiteMetrics; ++m) {
        if (site.values[m] != 0 &&
            static_cast<double>(site.values[m]) >=
                least_share * static_cast<double>(run.values[m])) {
          large[site.site] = true;
        }
      }
    }
  }
  Values values;
  std::vector<size_t> row_of(runs.sites.size());
  for (size_t site = 0; site < runs.sites.size(); ++site) {
    if (!large[site]) {
      values.small_sites += seen[site] ? 1 : 0;
      continue;
    }
    row_of[site] = values.sites.size();
    values.sites.push_back(site);
  }
  if (values.small_sites > 0) values.sites.push_back(SiteScaling::kOthers);
  values.rows.resize(values.sites.size());
  for (auto& row : values.rows) row.resize(runs.runs.size());
  for (size_t r = 0; r < runs.runs.size(); ++r) {
    for (const SiteValues& site : runs.runs[r].sites) {
      const size_t row =
          large[site.site] ? row_of[site.site] : values.rows.size() - 1;
      for (size_t m = 0; m < kSiteMetrics; ++m) {
        values.rows[row][r][m] += static_cast<double>(site.values[m]);
      }
    }
  }
  return values;
}

// Means by size, rising: unlike medians they add up over sites.
class SizeMeans {
 public:
  explicit SizeMeans(const Runs& runs) {
    std::map<double, size_t> index;
    for (const Run& run : runs.runs) index[run.n] = 0;
    for (auto& [n, at] : index) {
      at = sizes_.size();
      sizes_.push_back(n);
    }
    counts_.resize(sizes_.size());
    for (const Run& run : runs.runs) {
      size_of_run_.push_back(index[run.n]);
      ++counts_[index[run.n]];
    }
  }

  const std::vector<double>& sizes() const { return sizes_; }

  template <typename ValueOfRun>
  std::vector<double> Of(ValueOfRun value) const {
    std::vector<double> means(sizes_.size());
    for (size_t r = 0; r < size_of_run_.size(); ++r)
      means[size_of_run_[r]] += value(r);
    for (size_t i = 0; i < means.size(); ++i) means[i] /= counts_[i];
    return means;
  }

 private:
  std::vector<double> sizes_, counts_;
  std::vector<size_t> size_of_run_;
};

// All fits in one threaded pass: program metrics first, then row by row.
void FitEverything(const Runs& runs, const Values& values,
                   const ScalingRequest& request, Scaling* scaling) {
  std::vector<fit::SeriesInput> inputs;
  const auto add = [&](auto value, double quantum) {
    fit::SeriesInput& input = inputs.emplace_back();
    input.quantum = quantum;
    for (size_t r = 0; r < runs.runs.size(); ++r) {
      input.measurements.push_back({runs.runs[r].n, value(r)});
    }
  };
  for (size_t m = 0; m < kProgramMetrics; ++m) {
    add([&](size_t r) { return static_cast<double>(runs.runs[r].values[m]); },
        m == Index(Metric::kRss) ? kPage : 0);
  }
  for (const auto& row : values.rows) {
    for (size_t m = 0; m < kSiteMetrics; ++m)
      add([&](size_t r) { return row[r][m]; }, 0);
  }
  const fit::FitRequest fit_request = {request.predict, request.budget};
  std::vector<fit::SeriesFit> fits = fit::FitAllSeries(inputs, fit_request);

  for (size_t m = 0; m < kProgramMetrics; ++m) {
    scaling->program[m].fit = std::move(fits[m]);
    const fit::SeriesFit* fit = &scaling->program[m].fit;
    scaling->program[m].alarm = fit::AlarmsOf({fit})[0];
  }
  scaling->sites.resize(values.rows.size());
  for (size_t m = 0; m < kSiteMetrics; ++m) {
    std::vector<const fit::SeriesFit*> of_metric;
    for (size_t i = 0; i < values.rows.size(); ++i) {
      MetricFit& site = scaling->sites[i].metrics[m];
      site.fit = std::move(fits[kProgramMetrics + i * kSiteMetrics + m]);
      of_metric.push_back(&site.fit);
    }
    const std::vector<bool> alarms = fit::AlarmsOf(of_metric);
    for (size_t i = 0; i < alarms.size(); ++i)
      scaling->sites[i].metrics[m].alarm = alarms[i];
  }
}

// Of a series that is steeper than linear; 1: it is not.
double SteepExponent(const MetricFit& metric) {
  const fit::SeriesFit& fit = metric.fit;
  if (!metric.alarm && !fit::SteeperThanLinear(fit.growth)) return 1;
  double exponent = fit::AsymptoticExponent(*fit.law);
  if (exponent <= 1 && fit.exponent.has_value()) exponent = fit.exponent->value;
  return std::max(exponent, 1.0);
}

// The decomposition, or nothing; sites in the order of scaling->sites.
void DecomposeBy(const Values& values, const SizeMeans& means,
                 const std::vector<double>& program, Scaling* scaling) {
  const size_t by = Index(scaling->by);
  std::vector<fit::SiteSeries> series;
  for (size_t i = 0; i < values.rows.size(); ++i) {
    SiteScaling& site = scaling->sites[i];
    fit::SiteSeries& one = series.emplace_back();
    one.bytes = means.Of([&](size_t r) { return values.rows[i][r][by]; });
    one.exponent = SteepExponent(site.metrics[by]);
    one.steep = one.exponent > 1;
    site.at_largest = one.bytes.back();
  }
  if (means.sizes().size() < 3 ||
      *std::min_element(program.begin(), program.end()) <= 0) {
    return;
  }
  scaling->decomposition = fit::Decompose(means.sizes(), program, series);
  for (size_t i = 0; i < scaling->sites.size(); ++i) {
    scaling->sites[i].term = scaling->decomposition->sites[i];
  }
}

void SetTarget(Scaling* scaling, SiteScaling* site) {
  using Source = SiteScaling::Source;
  const double target = scaling->target;
  if (target == scaling->sizes.back()) {
    site->at_target = site->at_largest;
    site->source = Source::kMeasured;
    return;
  }
  for (const fit::Prediction& prediction :
       site->metrics[Index(scaling->by)].fit.predictions) {
    if (prediction.n != target) continue;
    site->at_target = prediction.value;
    site->source = Source::kPredicted;
    return;
  }
  // No site has less than nothing, whatever a straight line through it says.
  const fit::SiteTerm& term = site->term;
  site->at_target =
      std::max(0.0, term.constant + term.factor * std::pow(target, term.exponent));
  site->source = Source::kTerm;
}

void OrderSites(Scaling* scaling) {
  std::vector<size_t> order(scaling->sites.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const SiteScaling &x = scaling->sites[a], &y = scaling->sites[b];
    if (x.at_target != y.at_target) return x.at_target > y.at_target;
    return x.at_largest > y.at_largest;
  });
  std::vector<SiteScaling> sites;
  std::vector<fit::SiteTerm> terms;
  for (const size_t i : order) {
    sites.push_back(std::move(scaling->sites[i]));
    if (scaling->decomposition.has_value())
      terms.push_back(scaling->decomposition->sites[i]);
  }
  scaling->sites = std::move(sites);
  if (scaling->decomposition.has_value())
    scaling->decomposition->sites = std::move(terms);
}

}  // namespace

Scaling AnalyzeScaling(const Runs& runs, const ScalingRequest& request) {
  Scaling scaling;
  scaling.by = request.by;
  scaling.warnings = runs.warnings;
  const SizeMeans means(runs);
  scaling.sizes = means.sizes();
  scaling.target =
      request.predict.empty()
          ? scaling.sizes.back()
          : *std::max_element(request.predict.begin(), request.predict.end());
  const Values values = Collect(runs, request.least_share);
  scaling.small_sites = values.small_sites;
  FitEverything(runs, values, request, &scaling);
  for (size_t i = 0; i < values.sites.size(); ++i)
    scaling.sites[i].site = values.sites[i];
  // Beyond this point nothing is fitted but straight lines: what follows adds up,
  // and ranks.
  if (request.by != Metric::kRss) {
    const std::vector<double> program = means.Of([&](size_t r) {
      return static_cast<double>(runs.runs[r].values[Index(request.by)]);
    });
    DecomposeBy(values, means, program, &scaling);
  }
  for (SiteScaling& site : scaling.sites) SetTarget(&scaling, &site);
  OrderSites(&scaling);
  return scaling;
}

}  // namespace mallogram
