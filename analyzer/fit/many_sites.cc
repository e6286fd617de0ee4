#include "analyzer/fit/many_sites.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analyzer/fit/distributions.h"
#include "analyzer/fit/laws.h"
#include "analyzer/fit/search.h"

namespace mallogram::fit {

double SuperlinearPValue(const Sample& sample) {
  if (sample.size() < 4) return 1;
  const double line = FitOffsetPower(sample, 1).rss;
  static const std::vector<double> kGrid = {1, 1.1, 1.25, 1.5, 1.75,
                                            2, 2.5, 3,    3.5};
  const auto [exponent, rss] =
      Minimize(kGrid, [&](double c) { return FitOffsetPower(sample, c).rss; });
  if (!(exponent > 1) || !(rss < line)) return 1;
  const double freedom = static_cast<double>(sample.size()) - 3;
  const double variance = std::max(rss / freedom, sample.s0 * sample.s0);
  if (std::isinf(line))
    return 0;  // no line with b > 0 at all cannot be: rss is finite
  return FisherFUpper((line - rss) / variance, 1, freedom) / 2;
}

std::vector<bool> RejectFalse(absl::Span<const double> p_values, double rate,
                              FalseDiscovery method) {
  const size_t count = p_values.size();
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return p_values[i] < p_values[j]; });
  double share = rate / static_cast<double>(std::max<size_t>(count, 1));
  if (method == FalseDiscovery::kBenjaminiYekutieli) {
    double harmonic = 0;
    for (size_t i = 1; i <= count; ++i) harmonic += 1 / static_cast<double>(i);
    share /= harmonic;
  }
  size_t rejected = 0;
  for (size_t rank = 1; rank <= count; ++rank) {
    if (p_values[order[rank - 1]] <= share * static_cast<double>(rank))
      rejected = rank;
  }
  std::vector<bool> result(count, false);
  for (size_t rank = 0; rank < rejected; ++rank) result[order[rank]] = true;
  return result;
}

std::vector<bool> Alarms(absl::Span<const SiteEvidence> sites, double rate,
                         FalseDiscovery method) {
  std::vector<double> p_values;
  for (const SiteEvidence& site : sites) p_values.push_back(site.p_value);
  std::vector<bool> alarms = RejectFalse(p_values, rate, method);
  for (size_t i = 0; i < sites.size(); ++i) {
    alarms[i] = alarms[i] && SteeperThanLinear(sites[i].growth);
  }
  return alarms;
}

}  // namespace mallogram::fit
