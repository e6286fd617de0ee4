// Which call sites grow: a label for each, from the courses of their blocks.
//
// What is growth? Blocks that stay, and that go on coming. Live bytes alone tell
// little: beneath the noise of a busy site a leak of one block in a thousand is
// invisible, while a cache that fills looks like one. So a site is asked two
// things, and either answer will do:
//
// - Does what has got old pile up? Of the blocks that outlived `age` cohorts, so
//   many came and so many went. In a queue, a cache or a pool that is full they are
//   the same (one blocks's coming is another's going), whatever the lifetimes; in a
//   leak none goes. p: the greater of a binomial test of came against went and of
//   Student's t of the differences (trend.h), times the ages tried.
// - Does the least that the site held rise, whoever stays (a backlog, a buffer that
//   is enlarged for ever)? p: the greater of Mann and Kendall's with correction for
//   memory and of the t of its steps.
//
// Both after the first quarter of the site's allocations, which is warm-up. Then
// everything that is bounded has a chance to object (Objection): what came came
// early, on the site's clock, the process's or the wall's (Laplace's test of the
// mean moment, Cox and Lewis 1966; a cache of keys, a high-water pool, a table);
// nothing comes any more; the site's whole content stands still, so that others
// must have gone; it has been as high before; it was freed in the end; it is too
// little; the program was short and kept much of all that it allocated, as one that
// reads its input and ends: over one run a structure that is built looks like a
// leak.
//
// Of thousands of sites a few look odd by chance: Benjamini and Hochberg's step-up
// (analyzer/fit/many_sites.h) keeps false alarms below 5 % of alarms.
//
// What it cannot see: a bounded structure that is not yet full is growth; and what
// will stop one day has not stopped yet.
//
// Pure functions on plain data.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "analyzer/leaks/growth/course.h"
#include "analyzer/leaks/growth/trend.h"

namespace mallogram {

enum class GrowthKind : uint8_t {
  kUndetermined,
  kOneTime,   // allocated early, and then no more
  kPlateau,   // keeps a level
  kGrowing,   // goes on rising
  kChurning,  // comes and goes
};
absl::string_view GrowthKindName(GrowthKind label);  // "one-time"

// Why a site is not called growing.
enum class Objection : uint8_t {
  kNone,
  kNoEvidence,  // what is alive does not rise
  kFew,         // too few blocks
  kFreed,       // the run's end freed them
  kStopped,     // nothing came for long
  kSlowing,     // less and less came
  kFull,        // the site's content stands still
  kSeenBefore,  // it has been as high, and fell
  kBuilding,    // nothing else was going on
  kChance,      // one of so many sites may well look like this
};
// "nothing came for long"; "" for kNone.
absl::string_view ObjectionText(Objection objection);

struct SiteGrowth {
  GrowthKind label = GrowthKind::kUndetermined;
  Objection objection = Objection::kNoEvidence;
  double p_value = 1;  // of the evidence, alone among no others
  // Of the rest: only of a site that grows.
  Slope bytes_per_hour;
  double bytes_per_allocation = 0;          // of the site
  double bytes_per_process_allocation = 0;  // of any site
  uint64_t onset_ns = 0;
  uint64_t grown_blocks = 0, grown_bytes = 0;  // since the onset, alive at the end
};

// One a course, in the same order.
std::vector<SiteGrowth> LabelGrowth(absl::Span<const Course> courses,
                                    double false_discovery_rate = 0.05);

}  // namespace mallogram
