#include "analyzer/fit/fit_all.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "analyzer/fit/many_sites.h"

namespace mallogram::fit {
namespace {

constexpr size_t kThreadedSeries =
    64;  // fewer are done before threads have started

struct ByContent {
  const SeriesInput* series;

  bool operator==(const ByContent& other) const { return *series == *other.series; }
  template <typename H>
  friend H AbslHashValue(H hash, const ByContent& key) {
    for (const Measurement& point : key.series->measurements) {
      hash = H::combine(std::move(hash), point.n, point.bytes);
    }
    return H::combine(std::move(hash), key.series->quantum);
  }
};

}  // namespace

bool SeriesInput::operator==(const SeriesInput& other) const {
  return quantum == other.quantum &&
         std::equal(measurements.begin(), measurements.end(),
                    other.measurements.begin(), other.measurements.end(),
                    [](const Measurement& a, const Measurement& b) {
                      return a.n == b.n && a.bytes == b.bytes;
                    });
}

std::vector<SeriesFit> FitAllSeries(absl::Span<const SeriesInput> series,
                                    const FitRequest& request) {
  absl::flat_hash_map<ByContent, size_t> first_with;
  std::vector<size_t> first(series.size()), distinct;
  for (size_t i = 0; i < series.size(); ++i) {
    const auto [entry, is_new] = first_with.try_emplace({&series[i]}, i);
    first[i] = entry->second;
    if (is_new) distinct.push_back(i);
  }

  std::vector<SeriesFit> fits(series.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t at;
         (at = next.fetch_add(1, std::memory_order_relaxed)) < distinct.size();) {
      const size_t i = distinct[at];
      fits[i] = FitSeries(series[i].measurements, series[i].quantum, request);
    }
  };
  std::vector<std::thread> helpers;
  if (distinct.size() >= kThreadedSeries) {
    const size_t count =
        std::min(8u, std::max(1u, std::thread::hardware_concurrency()));
    for (size_t i = 1; i < count; ++i) helpers.emplace_back(work);
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  for (size_t i = 0; i < series.size(); ++i) {
    if (first[i] != i) fits[i] = fits[first[i]];
  }
  return fits;
}

std::vector<bool> AlarmsOf(absl::Span<const SeriesFit* const> fits) {
  std::vector<SiteEvidence> evidence;
  for (const SeriesFit* fit : fits) {
    evidence.push_back({fit->superlinear, SteepWeight(fit->weights)});
  }
  return Alarms(evidence);
}

}  // namespace mallogram::fit
