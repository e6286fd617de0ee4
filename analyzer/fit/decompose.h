// The program's growth as the sum of its call sites', exactly.
//
// Weighted least squares is linear in y. With the same weights (1/Y² of the
// program's total Y) and the same basis {1, n} for every site, coefficients add:
// the sites' sum is the program's to the last bit but rounding. Sites classed
// steeper than linear are fitted with a basis of their own, {1, n^c}, and taken out
// of the sum first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace mallogram::fit {

struct SiteSeries {
  std::vector<double> bytes;  // at every size; 0 where the site has none
  bool steep = false;         // classed steeper than linear
  double exponent = 1;        // of a steep site
};

struct SiteTerm {
  double constant = 0;
  double factor = 0;  // of n, or of n^exponent
  double exponent = 1;
};

struct Decomposition {
  std::vector<SiteTerm> sites;
  // Sums over the sites that are not steep: program = constant + linear·n + steep
  // sites + remainder.
  double constant = 0, linear = 0;
  SiteTerm remainder;            // what no site accounts for, fitted like a site
  double largest_remainder = 0;  // as a share of the program, over the sizes
  // At the largest size.
  enum class Term { kConstant, kLinear, kSteep } dominant = Term::kConstant;
  // Where the steep sites overtake everything else; nothing if there are none or if
  // they do not within 10^6 times the largest size.
  std::optional<double> crossover;
};

// `program` are the totals. REQUIRES: >= 3 sizes, all series as long as `n`,
// totals > 0.
Decomposition Decompose(absl::Span<const double> n,
                        absl::Span<const double> program,
                        absl::Span<const SiteSeries> sites);

}  // namespace mallogram::fit
