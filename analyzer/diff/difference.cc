#include "analyzer/diff/difference.h"

#include <algorithm>
#include <map>
#include <utility>

namespace mallogram {
namespace {

uint64_t Magnitude(int64_t change) {
  return change < 0 ? uint64_t{0} - static_cast<uint64_t>(change)
                    : static_cast<uint64_t>(change);
}

}  // namespace

DiffCounts CountChanges(const Difference& difference, size_t by) {
  DiffCounts counts;
  for (const DiffSite& site : difference.values) {
    const uint64_t before = site.values.before[by], after = site.values.after[by];
    if (before == 0 && after == 0) continue;
    if (before == after) {
      ++counts.same;
    } else if (before == 0) {
      ++counts.appeared;
    } else if (after == 0) {
      ++counts.vanished;
    } else {
      ++(after > before ? counts.grew : counts.shrank);
    }
  }
  return counts;
}

std::vector<size_t> RankChanges(const Difference& difference, size_t by) {
  std::vector<size_t> ranked;
  for (size_t i = 0; i < difference.values.size(); ++i) {
    if (difference.values[i].values.Change(by) != 0) ranked.push_back(i);
  }
  // Equal changes: by the identity, which is the same in every run of this.
  const auto id = [&](size_t i) -> const std::string& {
    return difference.sites[difference.values[i].site].id;
  };
  std::sort(ranked.begin(), ranked.end(), [&](size_t a, size_t b) {
    const uint64_t left = Magnitude(difference.values[a].values.Change(by));
    const uint64_t right = Magnitude(difference.values[b].values.Change(by));
    return left != right ? left > right : id(a) < id(b);
  });
  return ranked;
}

Difference CompareRuns(Runs runs) {
  Difference difference;
  difference.site_measures = kSiteMetrics;
  for (size_t i = 0; i < kProgramMetrics; ++i) {
    const auto metric = static_cast<Metric>(i);
    difference.measures.push_back({std::string(MetricName(metric)),
                                   std::string(MetricText(metric)),
                                   metric != Metric::kCalls});
  }
  const Run& before = runs.runs[0];
  const Run& after = runs.runs[1];
  difference.before = before.file;
  difference.after = after.file;
  difference.totals.before.assign(before.values.begin(), before.values.end());
  difference.totals.after.assign(after.values.begin(), after.values.end());
  std::map<uint32_t, DiffValues> values;
  const std::vector<uint64_t> nothing(kSiteMetrics);
  for (const SiteValues& site : before.sites) {
    values.try_emplace(site.site, DiffValues{nothing, nothing})
        .first->second.before.assign(site.values.begin(), site.values.end());
  }
  for (const SiteValues& site : after.sites) {
    values.try_emplace(site.site, DiffValues{nothing, nothing})
        .first->second.after.assign(site.values.begin(), site.values.end());
  }
  for (auto& [site, both] : values)
    difference.values.push_back({site, std::move(both)});
  difference.sites = std::move(runs.sites);
  difference.warnings = std::move(runs.warnings);
  return difference;
}

Difference MomentsDifference(std::vector<CallSite> sites,
                             std::vector<DiffSite> values) {
  Difference difference;
  difference.measures = {{"live", "live", true}, {"blocks", "blocks alive", false}};
  difference.site_measures = kMomentMeasures;
  difference.totals.before.resize(kMomentMeasures);
  difference.totals.after.resize(kMomentMeasures);
  for (const DiffSite& site : values) {
    for (size_t i = 0; i < kMomentMeasures; ++i) {
      difference.totals.before[i] += site.values.before[i];
      difference.totals.after[i] += site.values.after[i];
    }
  }
  difference.sites = std::move(sites);
  difference.values = std::move(values);
  return difference;
}

}  // namespace mallogram
