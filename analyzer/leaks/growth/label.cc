#include "analyzer/leaks/growth/label.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "analyzer/fit/many_sites.h"
#include "analyzer/leaks/growth/evidence.h"

namespace mallogram {
namespace {

// Sites with fewer calls are not tested: they cannot reach a p-value that counts.
constexpr uint64_t kFewestCalls = 8;
// Early is before this share of the run.
constexpr double kEarly = 0.6;
// A level is kept if the last quarter is at most this much higher than those before
// (and a few blocks: a small queue's extremes).
constexpr double kSameLevel = 1.25, kSameBlocks = 3;

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole);
}

// When the last allocation came, as a share of the run: the earlier of time's and
// the process's.
double LastCall(const Course& course) {
  const Course::Cohort& last = course.cohorts.back();
  return std::min(Share(last.time_ns, course.end_ns),
                  Share(last.allocations, course.end_allocations));
}

// The label of a site that does not grow.
GrowthKind LabelOfRest(const Course& course) {
  const std::vector<Course::Cohort>& cohorts = course.cohorts;
  if (cohorts.empty()) return GrowthKind::kUndetermined;
  if (course.calls == 1) return GrowthKind::kOneTime;
  if (course.blocks == 0) return GrowthKind::kChurning;
  if (LastCall(course) <= kEarly) {
    if (2 * course.blocks >= course.calls) return GrowthKind::kOneTime;
    if (2 * course.bytes >= cohorts.back().bytes) return GrowthKind::kPlateau;
  }
  if (course.calls < kFewestCalls) return GrowthKind::kUndetermined;
  const size_t count = cohorts.size();
  double before = 0, last = 0, least = HUGE_VAL;
  double before_bytes = 0, last_bytes = 0;
  for (size_t k = count / 4; k < count; ++k) {
    const auto blocks = static_cast<double>(cohorts[k].blocks);
    const auto bytes = static_cast<double>(cohorts[k].bytes);
    const bool late = k >= count - count / 4;
    (late ? last : before) = std::max(late ? last : before, blocks);
    (late ? last_bytes : before_bytes) =
        std::max(late ? last_bytes : before_bytes, bytes);
    if (k >= count / 2) {
      least = std::min(least, static_cast<double>(cohorts[k].least_blocks));
    }
  }
  if (last > kSameLevel * before + kSameBlocks) return GrowthKind::kUndetermined;
  // A single buffer that gets larger is not level.
  if (last <= 2 && last_bytes > kSameLevel * before_bytes) {
    return GrowthKind::kUndetermined;
  }
  return 2 * least >= std::max(last, before) ? GrowthKind::kPlateau
                                             : GrowthKind::kChurning;
}

}  // namespace

absl::string_view GrowthKindName(GrowthKind label) {
  constexpr std::array<absl::string_view, 5> kNames = {
      "undetermined", "one-time", "plateau", "growing", "churning"};
  return kNames[static_cast<size_t>(label)];
}

absl::string_view ObjectionText(Objection objection) {
  constexpr std::array<absl::string_view, 10> kTexts = {
      "",
      "what is alive does not rise",
      "too few blocks to tell",
      "most of it was freed in the end",
      "nothing came for long",
      "less and less came",
      "the site's content stands still",
      "it has been as high, and fell",
      "nothing else was going on: a structure that is built looks the same",
      "one of so many sites may look like this by chance"};
  return kTexts[static_cast<size_t>(objection)];
}

std::vector<SiteGrowth> LabelGrowth(absl::Span<const Course> courses,
                                    double false_discovery_rate) {
  std::vector<SiteGrowth> sites(courses.size());
  std::vector<double> p_values;
  std::vector<size_t> tested;
  for (size_t i = 0; i < courses.size(); ++i) {
    if (courses[i].calls < kFewestCalls) {
      sites[i].objection = Objection::kFew;
      continue;
    }
    sites[i] = WeighEvidence(courses[i]);
    tested.push_back(i);
    p_values.push_back(sites[i].p_value);
  }
  const std::vector<bool> found = fit::RejectFalse(p_values, false_discovery_rate);
  for (size_t i = 0; i < tested.size(); ++i) {
    SiteGrowth& site = sites[tested[i]];
    if (site.objection == Objection::kNone && !found[i]) {
      site.objection = Objection::kChance;
    }
  }
  for (size_t i = 0; i < courses.size(); ++i) {
    SiteGrowth& site = sites[i];
    if (site.objection == Objection::kNone) {
      site.label = GrowthKind::kGrowing;
      continue;
    }
    const double p_value = site.p_value;
    const Objection objection = site.objection;
    site = {};
    site.label = LabelOfRest(courses[i]);
    site.p_value = p_value;
    site.objection = objection;
  }
  return sites;
}

}  // namespace mallogram
