// Call sites of two studies, matched by the functions on their stacks.
#include <algorithm>
#include <cmath>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "analyzer/fit/fit.h"
#include "analyzer/study/judge/compare.h"
#include "analyzer/study/judge/criteria.h"

namespace mallogram::study {
namespace {

constexpr size_t kPeakMetric = static_cast<size_t>(Metric::kPeak);

std::vector<std::string> FunctionsOf(const CallSite& site) {
  std::vector<std::string> functions;
  for (const StackFrame& frame : site.stack) {
    if (!frame.plumbing) functions.push_back(frame.function);
  }
  if (functions.empty()) functions.push_back(site.function);
  return functions;
}

std::string KeyOf(const CallSite& site) {
  std::string key;
  for (const std::string& function : FunctionsOf(site)) {
    absl::StrAppend(&key, function, "\n");
  }
  return key;
}

// Bytes at the peak of every site by run; 0 where a run does not have it.
std::vector<std::vector<double>> PeakTable(const Runs& runs) {
  std::vector<std::vector<double>> table(runs.sites.size(),
                                         std::vector<double>(runs.runs.size()));
  for (size_t r = 0; r < runs.runs.size(); ++r) {
    for (const SiteValues& site : runs.runs[r].sites) {
      table[site.site][r] = static_cast<double>(site.values[kPeakMetric]);
    }
  }
  return table;
}

std::vector<double> AtSize(const Runs& runs, const std::vector<double>* values,
                           double n) {
  std::vector<double> out;
  for (size_t r = 0; r < runs.runs.size(); ++r) {
    if (runs.runs[r].n == n) out.push_back(values == nullptr ? 0 : (*values)[r]);
  }
  return out;
}

fit::SeriesFit Fit(const Runs& runs, const std::vector<double>& values) {
  std::vector<fit::Measurement> measurements;
  for (size_t r = 0; r < runs.runs.size(); ++r) {
    measurements.push_back({runs.runs[r].n, values[r]});
  }
  return fit::FitSeries(std::move(measurements), 0, {});
}

// The largest size of both; 0: they have none in common.
double LargestOfBoth(const Runs& before, const Runs& after) {
  double largest = 0;
  for (const Run& run : before.runs) {
    const bool both = std::any_of(after.runs.begin(), after.runs.end(),
                                  [&run](const Run& o) { return o.n == run.n; });
    if (both) largest = std::max(largest, run.n);
  }
  return largest;
}

bool Firm(const fit::SeriesFit& fit) {
  if (fit.growth == fit::Growth::kZero) return true;
  return fit::IsGrowthLaw(fit.growth) &&
         (fit.word == fit::Word::kHigh || fit.word == fit::Word::kLikely);
}

bool AllZero(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](double value) { return value == 0; });
}

}  // namespace

LawChange CompareLaws(const fit::SeriesFit* before, const fit::SeriesFit* after) {
  LawChange out;
  out.before = before == nullptr ? "none" : VerdictText(*before);
  out.after = after == nullptr ? "none" : VerdictText(*after);
  if (before == nullptr || after == nullptr) return out;
  out.firm = Firm(*before) && Firm(*after);
  out.changed = out.firm && before->growth != after->growth;
  if (!out.changed) return out;
  // kZero is below everything, whatever its place among the names.
  const auto rank = [](fit::Growth growth) {
    return growth == fit::Growth::kZero ? -1 : static_cast<int>(growth);
  };
  out.steeper = rank(after->growth) > rank(before->growth);
  return out;
}

Runs MergeByNames(const Runs& runs) {
  Runs out;
  out.warnings = runs.warnings;
  absl::flat_hash_map<std::string, uint32_t> site_by_key;
  std::vector<uint32_t> merged;
  for (const CallSite& site : runs.sites) {
    const std::string key = KeyOf(site);
    const auto [at, added] =
        site_by_key.try_emplace(key, static_cast<uint32_t>(out.sites.size()));
    merged.push_back(at->second);
    if (!added) continue;
    out.sites.push_back(site);
    out.sites.back().id = key;
  }
  for (const Run& run : runs.runs) {
    std::map<uint32_t, SiteValues> sums;
    for (const SiteValues& values : run.sites) {
      SiteValues& sum = sums[merged[values.site]];
      sum.site = merged[values.site];
      for (size_t m = 0; m < kSiteMetrics; ++m) sum.values[m] += values.values[m];
    }
    out.runs.push_back(run);
    out.runs.back().sites.clear();
    for (const auto& [site, values] : sums) out.runs.back().sites.push_back(values);
  }
  return out;
}

std::vector<SiteChange> CompareSites(const Runs& old_runs, const Runs& new_runs) {
  const Runs before = MergeByNames(old_runs), after = MergeByNames(new_runs);
  const double n = LargestOfBoth(before, after);
  std::vector<SiteChange> changes;
  if (n == 0) return changes;
  const std::vector<std::vector<double>> old_peaks = PeakTable(before),
                                         new_peaks = PeakTable(after);
  absl::flat_hash_map<std::string, size_t> old_site;
  for (size_t i = 0; i < before.sites.size(); ++i) {
    old_site.emplace(before.sites[i].id, i);
  }
  const auto add = [&](const CallSite& site, const std::vector<double>* old_values,
                       const std::vector<double>* new_values) {
    const bool in_old = old_values != nullptr && !AllZero(*old_values);
    const bool in_new = new_values != nullptr && !AllZero(*new_values);
    if (!in_old && !in_new) return;  // never at a peak
    SiteChange change;
    change.function = site.function;
    change.file = site.file;
    change.line = site.line;
    change.stack = FunctionsOf(site);
    change.presence = !in_old   ? SiteChange::Presence::kAppeared
                      : !in_new ? SiteChange::Presence::kVanished
                                : SiteChange::Presence::kBoth;
    change.largest =
        CompareValues(AtSize(before, old_values, n), AtSize(after, new_values, n));
    fit::SeriesFit old_fit, new_fit;
    if (in_old) old_fit = Fit(before, *old_values);
    if (in_new) new_fit = Fit(after, *new_values);
    change.law =
        CompareLaws(in_old ? &old_fit : nullptr, in_new ? &new_fit : nullptr);
    changes.push_back(std::move(change));
  };
  std::vector<bool> seen(before.sites.size());
  for (size_t i = 0; i < after.sites.size(); ++i) {
    const auto at = old_site.find(after.sites[i].id);
    const bool both = at != old_site.end();
    if (both) seen[at->second] = true;
    add(after.sites[i], both ? &old_peaks[at->second] : nullptr, &new_peaks[i]);
  }
  for (size_t i = 0; i < before.sites.size(); ++i) {
    if (!seen[i]) add(before.sites[i], &old_peaks[i], nullptr);
  }
  std::stable_sort(
      changes.begin(), changes.end(), [](const SiteChange& a, const SiteChange& b) {
        return std::fabs(a.largest.difference) > std::fabs(b.largest.difference);
      });
  return changes;
}

}  // namespace mallogram::study
