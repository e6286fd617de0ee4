// Alarms over many call sites, without one false alarm in twenty of them.
//
// Per site a one-sided F-test of a + b·n against a + b·n^c, c > 1; then Benjamini
// and Hochberg's step-up (J. R. Statist. Soc. B 57, 1995) over all sites, or
// Benjamini and Yekutieli's (Ann. Statist. 29, 2001), which holds under any
// dependence: sites share the runs. A site is an alarm only if its class is steeper
// than linear as well.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "analyzer/fit/growth.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

// 1: no evidence. With fewer than 4 sizes there is none.
double SuperlinearPValue(const Sample& sample);

enum class FalseDiscovery { kBenjaminiHochberg, kBenjaminiYekutieli };

// Which of the hypotheses are rejected at false discovery rate `rate`.
std::vector<bool> RejectFalse(
    absl::Span<const double> p_values, double rate = 0.05,
    FalseDiscovery method = FalseDiscovery::kBenjaminiHochberg);

struct SiteEvidence {
  double p_value = 1;
  Growth growth = Growth::kUndetermined;
};
std::vector<bool> Alarms(
    absl::Span<const SiteEvidence> sites, double rate = 0.05,
    FalseDiscovery method = FalseDiscovery::kBenjaminiHochberg);

}  // namespace mallogram::fit
