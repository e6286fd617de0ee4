#include "analyzer/leaks/growth_of.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/command/format.h"

namespace mallogram {
namespace {

std::string Bytes(double bytes) {
  if (bytes < 10) return absl::StrFormat("%.2g B", std::max(0.0, bytes));
  return FormatBytes(static_cast<uint64_t>(std::min(bytes, 1e18)));
}

std::string PText(double p) {
  return p < 0.001 ? "p < 0.001" : absl::StrFormat("p = %.3f", p);
}

GrowthLabel Shown(const SiteGrowth& site) {
  GrowthLabel label;
  label.label = std::string(GrowthKindName(site.label));
  label.growing = site.label == GrowthKind::kGrowing;
  label.text = GrowthText(site);
  label.figures.emplace_back("p_value", site.p_value);
  if (!label.growing) return label;
  label.figures.emplace_back("rate_per_hour", site.bytes_per_hour.value);
  label.figures.emplace_back("low", site.bytes_per_hour.low);
  label.figures.emplace_back("high", site.bytes_per_hour.high);
  label.figures.emplace_back("rate_per_allocation", site.bytes_per_allocation);
  label.figures.emplace_back("rate_per_process_allocation",
                             site.bytes_per_process_allocation);
  label.figures.emplace_back("onset_ns", static_cast<double>(site.onset_ns));
  label.figures.emplace_back("grown_blocks",
                             static_cast<double>(site.grown_blocks));
  label.figures.emplace_back("grown_bytes", static_cast<double>(site.grown_bytes));
  return label;
}

}  // namespace

std::string GrowthText(const SiteGrowth& site) {
  if (site.label == GrowthKind::kOneTime)
    return "allocated early, and then no more";
  if (site.label != GrowthKind::kGrowing) {
    return std::string(ObjectionText(site.objection));
  }
  return absl::StrCat(Bytes(site.bytes_per_hour.value), " an hour (",
                      Bytes(site.bytes_per_hour.low), " to ",
                      Bytes(site.bytes_per_hour.high), "), ",
                      Bytes(site.bytes_per_allocation), " an allocation, since ",
                      FormatSeconds(static_cast<double>(site.onset_ns) / 1e9), ", ",
                      PText(site.p_value));
}

GrowthOf ShowGrowth(RunGrowth growth) {
  const auto shared = std::make_shared<const RunGrowth>(std::move(growth));
  return [shared](const Trace& of, uint32_t stack) -> std::optional<GrowthLabel> {
    return Shown(shared->Of(of, stack));
  };
}

GrowthOf MakeGrowthOf(Recording& recording, const Trace& trace, size_t check,
                      ProgressFn progress) {
  absl::StatusOr<RunGrowth> growth =
      ReadGrowth(recording, trace, progress, EndOfRun(trace, check));
  if (!growth.ok()) return {};
  return ShowGrowth(*std::move(growth));
}

}  // namespace mallogram
