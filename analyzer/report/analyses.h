// The seam to the renderers: one pure function an analysis, plain data out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analyzer/report/report.h"
#include "analyzer/stacks/site_book.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {

// ---- top call sites -------------------------------------------------------

// One line of a stack below a call site, innermost first. Callers that (nearly)
// all calls share follow each other at one level; where they part, each branch
// opens a level of its own.
struct CallerLine {
  uint32_t frame = 0;
  bool inlined = false;
  bool any_line = false;   // calls from several lines: show the function only
  bool recursive = false;  // calls itself: its frames in a row are this one line
  int level = 0;
  bool branch = false;  // first line of a branch
  double share = 1;     // of the site's value
  uint64_t cut = 0;     // > 0: no frame, but so many frames are not shown
};

// Everything allocated at one line of the user's code (innermost frame that is
// not plumbing), whoever called it; or by another identity.
struct TopSite {
  SiteTotals totals;
  SiteEstimate estimate;  // of a sampled recording
  double share = 0;       // of the whole report's value
  uint64_t stacks = 0;    // call stacks merged
  PlacedFrame frame;
  bool recursive = false;
  uint32_t via = 0;  // outermost folded frame of the heaviest stack, 0: none
  std::vector<CallerLine> callers;
};

struct TopSites {
  std::vector<TopSite> sites;  // heaviest first, at most `top`, none of value 0
  uint64_t count = 0;          // of all that have a value
  uint64_t value = 0;          // of all
  bool cut = false;            // the rest is too small to be shown unasked
  double shown_share = 0;
};

// `minimum`: smallest share shown. `depth`: lines of callers a path; 0: all.
// `identity`: what is one site.
TopSites FindTopSites(const Report& report, const StackBook& book, Measure by,
                      SiteIdentity identity, size_t top, double minimum,
                      size_t depth);

// ---- call tree ------------------------------------------------------------

struct TreeRow {
  uint32_t frame = 0;
  bool any_line = false, recursive = false;  // as in CallerLine
  int level = 0;
  bool chain = false;  // the only caller line above leads here: same value
  bool last = false;   // no further sibling
  uint64_t value = 0, self = 0, calls = 0;
  double share = 0;
  // > 0: no frame, but so many branches are not shown, each below the limit, or
  // (deeper) all of them because of the depth. `share` is theirs together.
  uint64_t cut = 0;
  bool deeper = false;
};

// Top-down: who called what, heaviest first. Branches below `minimum` of the
// total are cut, and what lies deeper than `depth` (0: nothing).
std::vector<TreeRow> BuildCallTree(const Report& report, const StackBook& book,
                                   Measure by, double minimum, size_t depth);

// ---- timeline -------------------------------------------------------------

struct Curve {
  std::vector<uint64_t> heap, rss;  // a column each: highest value in its time
  uint64_t heap_max = 0, rss_max = 0;
};
Curve Resample(const std::vector<Sample>& timeline, uint64_t duration_ns,
               size_t columns);

// ---- the recording's own cost ---------------------------------------------

// What the recording cost the program, estimated from what it did; see
// analyses.cc for the unit costs and their origin.
struct CostEstimate {
  double added_s = 0;   // CPU time, all threads together
  double slowdown = 0;  // 0: cannot be told (several threads or processes)
};
CostEstimate EstimateCost(const Report& report);

}  // namespace mallogram
