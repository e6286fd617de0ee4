#include "analyzer/leaks/growth/evidence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace mallogram {
namespace {

// Warm-up: the first 1/kWarmUp of the cohorts.
constexpr size_t kWarmUp = 4;
// A block is old after so many cohorts.
constexpr std::array<size_t, 4> kAges = {1, 2, 4, 8};
// Of what got old, at most this share may have gone.
constexpr double kMostGone = 0.25;
constexpr uint64_t kFewestBlocks = 8;
constexpr double kPileP = 0.02;
// Growth without piling up needs more: it is tested on level alone.
constexpr double kLevelP = 1e-3, kLeastRise = 0.25;
constexpr size_t kLevelCohorts = 16;
constexpr uint64_t kFewestOfLevel = 64;
// Mean moment of what came, as a share of the window; 1/2: evenly. Of the processor
// and of other processes the wall clock knows more than the others: it must object
// more clearly.
constexpr double kSlowMean = 0.42, kSlowMeanTime = 0.33, kSlowZ = -2.33;
// Stopped: nothing came in the last share of the window, and that is no chance.
// Of time, a pause of less than kShortNs is none, for others had the processor; nor
// is the rest of the wall clock believed in runs of less than five times that.
constexpr double kLongPause = 0.2, kPauseP = 0.05, kShortNs = 2e8;
// The site's content rises less than this share of what piles up.
constexpr double kStandsStill = 0.5;
constexpr double kHigherThanEver = 1.2;
// Something else was going on: so many blocks came and went for each that the
// process kept, or it lasted this long.
constexpr double kOtherWork = 4;
constexpr uint64_t kLongNs = 1'000'000'000;

constexpr double kHourNs = 3.6e12;

using Cohort = Course::Cohort;

// What has piled up over the cohorts [first, last) since they were old.
struct Pile {
  size_t age = 1, first = 0, last = 0;
  uint64_t came = 0, went = 0;
  double p_value = 1;
};

uint64_t OldAt(const Course& course, size_t k, size_t age) {
  uint64_t sum = 0;
  for (size_t j = 0; j + age <= k; ++j) sum += course.alive[Course::At(k, j)];
  return sum;
}

Pile PileUp(const Course& course, size_t first, size_t age) {
  Pile pile{age, first, course.cohorts.size() - age, 0, 0, 1};
  std::vector<double> steps;
  for (size_t j = first; j < pile.last; ++j) {
    const size_t k = j + age;
    const uint64_t came = course.alive[Course::At(k, j)];
    uint64_t went = 0;
    for (size_t older = 0; older < j; ++older) {
      went += course.alive[Course::At(k - 1, older)] -
              course.alive[Course::At(k, older)];
    }
    pile.came += came;
    pile.went += went;
    steps.push_back(static_cast<double>(came) - static_cast<double>(went));
  }
  if (steps.size() < 5) return pile;
  pile.p_value = std::max(ComesOftener(pile.came, pile.went), DriftRises(steps));
  return pile;
}

// The cohort where blocks begin to stay, 0 if they always did: the best of all ways
// to see two rates, few before and many after, by Poisson's likelihood.
size_t FindOnset(const Course& course, size_t age) {
  const size_t last = course.cohorts.size() - 1, end = course.cohorts.size() - age;
  double sum = 0;
  std::vector<double> stayed;
  for (size_t j = 0; j < end; ++j) {
    stayed.push_back(course.alive[Course::At(last, j)]);
    sum += stayed.back();
  }
  const auto value = [](double count, double cohorts) {
    return count == 0 ? 0 : count * std::log(count / cohorts);
  };
  const double none = value(sum, static_cast<double>(end));
  double best = 8, before = 0;  // in units of log-likelihood; 8: p < 1e-3
  size_t onset = 0;
  for (size_t j = 1; j + 6 <= end; ++j) {
    before += stayed[j - 1];
    const auto early = static_cast<double>(j), late = static_cast<double>(end - j);
    if (4 * before / early > (sum - before) / late) continue;
    const double gain = value(before, early) + value(sum - before, late) - none;
    if (gain <= best) continue;
    best = gain;
    onset = j;
  }
  return onset;
}

// The clearest of the ages.
Pile FindPile(const Course& course, size_t* onset) {
  Pile best;
  const size_t count = course.cohorts.size();
  for (const size_t age : kAges) {
    if (4 * age > count) break;
    const size_t begins = FindOnset(course, age);
    Pile pile = PileUp(course, std::max(count / kWarmUp, begins), age);
    if (static_cast<double>(pile.went) >
        kMostGone * static_cast<double>(pile.came)) {
      continue;
    }
    pile.p_value *= static_cast<double>(kAges.size()) * (begins > 0 ? 4 : 1);
    if (pile.p_value >= best.p_value) continue;
    best = pile;
    *onset = begins;
  }
  return best;
}

// What came and when, for the objections: amounts of the cohorts [first, end).
struct Arrivals {
  size_t first = 0;
  std::vector<double> amounts;
};

// A clock at the end of a cohort, and at the end of the run.
struct Clock {
  double (*at)(const Cohort&);
  double end;
  double short_pause;
};
double TimeAt(const Cohort& cohort) { return static_cast<double>(cohort.time_ns); }
double AllocationsAt(const Cohort& cohort) {
  return static_cast<double>(cohort.allocations);
}

// How many events come at a time, that is, how much oftener than by chance many of
// them share a stretch of the process's allocations: variance by mean, 1 if that
// may be chance. A pool that takes what a single crowd of customers needs has grown
// once, not thirty times.
double Crowding(const Course& course, const Arrivals& arrivals) {
  constexpr size_t kStretches = 12;
  constexpr double kSurely = 24.7;  // chi-square, 11 degrees of freedom, 1 %
  const double begin = AllocationsAt(course.cohorts[arrivals.first - 1]);
  const double span = static_cast<double>(course.end_allocations) - begin;
  std::array<double, kStretches> sums = {};
  double previous = begin, sum = 0;
  for (size_t i = 0; i < arrivals.amounts.size(); ++i) {
    const Cohort& cohort = course.cohorts[arrivals.first + i];
    const double at = AllocationsAt(cohort);
    const double moment = cohort.born == 1 ? at : (previous + at) / 2;
    const auto stretch = static_cast<size_t>((moment - begin) / span * kStretches);
    sums[std::min(stretch, kStretches - 1)] += arrivals.amounts[i];
    sum += arrivals.amounts[i];
    previous = at;
  }
  const double mean = sum / kStretches;
  double squares = 0;
  for (double part : sums) squares += (part - mean) * (part - mean);
  return mean <= 0 || squares / mean < kSurely ? 1
                                               : squares / mean / (kStretches - 1);
}

bool IsSlow(double mean, double blocks, double slow_mean) {
  return mean < slow_mean && (mean - 0.5) * std::sqrt(12 * blocks) < kSlowZ;
}

Objection ObjectsOn(const Course& course, const Arrivals& arrivals, double blocks,
                    const Clock& clock, double slow_mean) {
  const std::vector<Cohort>& cohorts = course.cohorts;
  const double begin = clock.at(cohorts[arrivals.first - 1]);
  const double span = clock.end - begin;
  if (span <= 0) return Objection::kNone;
  double sum = 0, moments = 0, previous = begin, latest = begin;
  for (size_t i = 0; i < arrivals.amounts.size(); ++i) {
    const double at = clock.at(cohorts[arrivals.first + i]);
    // One allocation came at the end of its cohort, many in the middle.
    const bool single = cohorts[arrivals.first + i].born == 1;
    const double moment = single ? at : (previous + at) / 2;
    sum += arrivals.amounts[i];
    moments += arrivals.amounts[i] * (moment - begin) / span;
    if (arrivals.amounts[i] > 0) latest = at;
    previous = at;
  }
  if (sum <= 0) return Objection::kNoEvidence;
  const double pause = (clock.end - latest) / span;
  if (pause > kLongPause && pause * span > clock.short_pause &&
      std::pow(1 - pause, blocks) < kPauseP) {
    return Objection::kStopped;
  }
  if (span > 5 * clock.short_pause && IsSlow(moments / sum, blocks, slow_mean)) {
    return Objection::kSlowing;
  }
  return Objection::kNone;
}

// Evenness, on the site's own clock and on the two others.
Objection ObjectsInTime(const Course& course, const Arrivals& arrivals,
                        double blocks) {
  double sum = 0, moments = 0;
  const auto count = static_cast<double>(arrivals.amounts.size());
  for (size_t i = 0; i < arrivals.amounts.size(); ++i) {
    sum += arrivals.amounts[i];
    moments += arrivals.amounts[i] * (static_cast<double>(i) + 0.5) / count;
  }
  if (sum <= 0) return Objection::kNoEvidence;
  if (IsSlow(moments / sum, blocks, kSlowMean)) return Objection::kSlowing;
  const Objection objection = ObjectsOn(
      course, arrivals, blocks,
      {AllocationsAt, static_cast<double>(course.end_allocations), 0}, kSlowMean);
  if (objection != Objection::kNone) return objection;
  return ObjectsOn(course, arrivals, blocks,
                   {TimeAt, static_cast<double>(course.end_ns), kShortNs},
                   kSlowMeanTime);
}

// True if the level over [first, end) is sure to rise by less than half of `rise` a
// cohort: a straight line through it.
bool StandsStill(const std::vector<double>& level, double rise) {
  const auto n = static_cast<double>(level.size());
  if (level.size() < 5) return false;
  const double mean_x = (n - 1) / 2;
  const double mean = std::accumulate(level.begin(), level.end(), 0.0) / n;
  double xx = 0, xy = 0, yy = 0;
  for (size_t i = 0; i < level.size(); ++i) {
    const double x = static_cast<double>(i) - mean_x, y = level[i] - mean;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const double slope = xy / xx;
  const double error = std::sqrt(std::max(0.0, yy - slope * xy) / (n - 2) / xx);
  return slope + 3 * error < kStandsStill * rise;
}

bool IsFull(const Course& course, const Pile& pile) {
  const auto cohorts = static_cast<double>(pile.last - pile.first);
  const double rise = static_cast<double>(pile.came - pile.went) / cohorts;
  uint64_t left = 0, left_bytes = 0;
  for (size_t j = pile.first; j < pile.last; ++j) {
    left += course.cohorts[j].left;
    left_bytes += course.cohorts[j].left_bytes;
  }
  std::vector<double> blocks, bytes;
  for (size_t k = pile.first; k < course.cohorts.size(); ++k) {
    blocks.push_back(static_cast<double>(course.cohorts[k].blocks));
    bytes.push_back(static_cast<double>(course.cohorts[k].bytes));
  }
  if (StandsStill(blocks, rise)) return true;
  if (left == 0) return false;
  return StandsStill(
      bytes, rise * static_cast<double>(left_bytes) / static_cast<double>(left));
}

bool IsSeenBefore(const Course& course, const Pile& pile) {
  const size_t last = course.cohorts.size() - 1;
  const uint64_t now = OldAt(course, last, pile.age);
  uint64_t before = 0, always = now;
  for (size_t k = pile.age; k <= last; ++k) {
    const uint64_t old = OldAt(course, k, pile.age);
    if (k <= pile.first) before = std::max(before, old);
    if (k >= pile.first) always = std::min(always, old);
  }
  // What was there before the window and is still there is no peak.
  before -= std::min(before, always);
  return static_cast<double>(before) * kHigherThanEver >
         static_cast<double>(now - always);
}

// A short program that keeps a large part of all that it allocates reads its input
// or builds a structure: each of its sites rises, and would stop with the input.
// `blocks`: that the site itself kept. REQUIRES: first > 0.
bool IsBuilding(const Course& course, size_t first, double blocks) {
  const Cohort& begin = course.cohorts[first - 1];
  if (course.end_ns - begin.time_ns >= kLongNs) return false;
  const auto came = static_cast<double>(course.end_allocations - begin.allocations);
  const auto went = static_cast<double>(course.end_frees - begin.frees);
  return went < kOtherWork * std::max(blocks, came - went);
}

// Growth by what stays.
SiteGrowth WeighPile(const Course& course) {
  SiteGrowth site;
  size_t onset = 0;
  const Pile pile = FindPile(course, &onset);
  site.p_value = std::min(1.0, pile.p_value);
  if (site.p_value > kPileP) return site;
  const std::vector<Cohort>& cohorts = course.cohorts;
  const size_t last = cohorts.size() - 1;
  Arrivals arrivals{pile.first, {}};
  uint64_t stayed = 0, left = 0, left_bytes = 0, born = 0;
  for (size_t j = pile.first; j < pile.last; ++j) {
    const uint64_t alive = course.alive[Course::At(last, j)];
    arrivals.amounts.push_back(static_cast<double>(alive));
    stayed += alive;
    left += cohorts[j].left;
    left_bytes += cohorts[j].left_bytes;
    born += cohorts[j].born;
  }
  // Those that are too young to tell go on like the others.
  const double mean =
      static_cast<double>(stayed) / static_cast<double>(pile.last - pile.first);
  arrivals.amounts.resize(cohorts.size() - pile.first, mean);
  const double crowd = Crowding(course, arrivals);
  const auto groups = [crowd](uint64_t count) {
    return static_cast<uint64_t>(static_cast<double>(count) / crowd);
  };
  if (crowd > 1) {
    site.p_value = std::max(
        site.p_value,
        std::min(1.0, static_cast<double>(kAges.size()) *
                          ComesOftener(groups(pile.came), groups(pile.went))));
    if (site.p_value > kPileP) return site;
  }
  const auto blocks = static_cast<double>(stayed);
  site.objection = ObjectsInTime(course, arrivals, blocks);
  if (left < kFewestBlocks) site.objection = Objection::kFew;
  if (2 * left < stayed) site.objection = Objection::kFreed;
  if (site.objection != Objection::kNone) return site;
  if (IsFull(course, pile)) site.objection = Objection::kFull;
  if (IsSeenBefore(course, pile)) site.objection = Objection::kSeenBefore;
  if (IsBuilding(course, pile.first, blocks)) site.objection = Objection::kBuilding;
  if (site.objection != Objection::kNone) return site;

  site.grown_blocks = site.grown_bytes = 0;
  for (size_t j = onset; j < pile.last; ++j) {
    site.grown_blocks += cohorts[j].left;
    site.grown_bytes += cohorts[j].left_bytes;
  }
  site.onset_ns = onset == 0 ? course.first_ns : cohorts[onset - 1].time_ns;
  site.bytes_per_allocation =
      static_cast<double>(left_bytes) / static_cast<double>(born);
  const uint64_t process =
      cohorts[pile.last - 1].allocations - cohorts[pile.first - 1].allocations;
  site.bytes_per_process_allocation =
      static_cast<double>(left_bytes) /
      static_cast<double>(std::max<uint64_t>(process, 1));
  std::vector<double> hours, bytes;
  double sum = 0;
  for (size_t j = pile.first; j < pile.last; ++j) {
    sum += static_cast<double>(cohorts[j].left_bytes);
    hours.push_back(static_cast<double>(cohorts[j].time_ns) / kHourNs);
    bytes.push_back(sum);
  }
  site.bytes_per_hour = TheilSen(hours, bytes);
  return site;
}

// Growth of the level: of the fewest blocks since the cohort before, or of the most
// bytes (a single buffer that is moved is no block in between). Not of what there
// is at the cohorts' ends: batches of nearly a cohort would seem to rise.
SiteGrowth WeighLevel(const Course& course, bool in_bytes) {
  SiteGrowth site;
  const std::vector<Cohort>& cohorts = course.cohorts;
  if (cohorts.size() < kLevelCohorts) return site;
  const auto level_of = [in_bytes](const Cohort& cohort) {
    return static_cast<double>(in_bytes ? cohort.most_bytes : cohort.least_blocks);
  };
  const size_t first = cohorts.size() / kWarmUp;
  std::vector<double> level, hours, bytes;
  Arrivals arrivals{first, {}};
  uint64_t born = 0;
  for (size_t k = first; k < cohorts.size(); ++k) {
    level.push_back(level_of(cohorts[k]));
    bytes.push_back(static_cast<double>(in_bytes ? cohorts[k].most_bytes
                                                 : cohorts[k].least_bytes));
    hours.push_back(static_cast<double>(cohorts[k].time_ns) / kHourNs);
    arrivals.amounts.push_back(level.back() - level_of(cohorts[k - 1]));
    born += cohorts[k].born;
  }
  const double p = std::max(MannKendallRises(level), DriftRises(arrivals.amounts));
  site.p_value = std::min(1.0, 2 * p);  // two measures
  if (p > kLevelP) return site;
  const double rise = level.back() - level.front();
  double highest = 0;  // ever, but for the last third
  for (size_t k = 0; k + cohorts.size() / 3 < cohorts.size(); ++k) {
    highest = std::max(highest, static_cast<double>(in_bytes ? cohorts[k].most_bytes
                                                             : cohorts[k].blocks));
  }
  const auto now = static_cast<double>(in_bytes ? course.bytes : course.blocks);
  site.objection = ObjectsInTime(course, arrivals, HUGE_VAL);
  if (level.back() <= highest || rise < kLeastRise * level.back()) {
    site.objection = Objection::kSeenBefore;
  }
  if (2 * now < level.back()) site.objection = Objection::kFreed;
  if (course.calls < kFewestOfLevel) site.objection = Objection::kFew;
  // A buffer that is enlarged, too, is a structure that is being built.
  if (IsBuilding(course, first, in_bytes ? static_cast<double>(born) / 2 : rise)) {
    site.objection = Objection::kBuilding;
  }
  if (site.objection != Objection::kNone) return site;
  site.onset_ns = course.first_ns;
  const double grown = bytes.back() - bytes.front();
  site.grown_bytes = static_cast<uint64_t>(std::max(0.0, grown));
  site.grown_blocks = in_bytes ? 1 : static_cast<uint64_t>(rise);
  site.bytes_per_hour = TheilSen(hours, bytes);
  site.bytes_per_allocation = grown / static_cast<double>(born);
  site.bytes_per_process_allocation =
      grown / static_cast<double>(cohorts.back().allocations -
                                  cohorts[first - 1].allocations);
  return site;
}

}  // namespace

SiteGrowth WeighEvidence(const Course& course) {
  SiteGrowth best = WeighPile(course);
  for (const bool in_bytes : {false, true}) {
    if (best.objection == Objection::kNone) return best;
    const SiteGrowth level = WeighLevel(course, in_bytes);
    const bool convinces = level.objection == Objection::kNone;
    if (convinces || level.p_value < best.p_value) best = level;
  }
  return best;
}

}  // namespace mallogram
