// Alarms over many call sites, without one false alarm in twenty of them.
//
// Per site a one-sided F-test of a + b·n against a + b·n^c, c > 1. Sites of one
// program share their noise, and a handful of sizes tells little about it: with
// many sites each variance is drawn towards the common one, as far as the sites'
// own variances agree (moderated F: Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004).
// Then Benjamini and Hochberg's step-up (J. R. Statist. Soc. B 57, 1995) over all
// sites, or Benjamini and Yekutieli's (Ann. Statist. 29, 2001), which holds under
// any dependence: sites share the runs. A site is an alarm only if laws steeper
// than linear have nearly all the weight as well; which of them need not be
// settled.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "analyzer/fit/growth.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

// What the test is made of.
struct SuperlinearTest {
  double gain = 0;     // of the squares, by an exponent above 1; 0: no evidence
  double rss = 0;      // with that exponent
  double freedom = 0;  // sizes - 3
  double least_variance = 0;  // s0²
};
// With fewer than 4 sizes there is no evidence.
SuperlinearTest TestSuperlinear(const Sample& sample);

// By itself; 1: no evidence.
double SuperlinearPValue(const SuperlinearTest& test);
// Of all sites, moderated. Fewer than 30 with evidence either way: each by itself.
std::vector<double> SuperlinearPValues(absl::Span<const SuperlinearTest> tests);

enum class FalseDiscovery { kBenjaminiHochberg, kBenjaminiYekutieli };

// Which of the hypotheses are rejected at false discovery rate `rate`.
std::vector<bool> RejectFalse(
    absl::Span<const double> p_values, double rate = 0.05,
    FalseDiscovery method = FalseDiscovery::kBenjaminiHochberg);

struct SiteEvidence {
  SuperlinearTest test;
  double steep_weight = 0;  // of the classes steeper than linear, together
};
double SteepWeight(const GrowthWeights& weights);

std::vector<bool> Alarms(
    absl::Span<const SiteEvidence> sites, double rate = 0.05,
    FalseDiscovery method = FalseDiscovery::kBenjaminiHochberg);

}  // namespace mallogram::fit
