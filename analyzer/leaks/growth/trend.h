// Trends of short series, without an assumption about their distribution.
//
// Mann (Econometrica 13, 1945) and Kendall: does the series rise? With ties, and
// with Hamed and Rao's correction of the variance (J. Hydrology 204, 1998): the
// ranks of what is left after the slope is taken out are correlated in time, and
// a series that remembers rises by chance far oftener than one that does not.
// Sen (J. Am. Stat. Assoc. 63, 1968): how fast? The median of all slopes between
// two points, with Kendall's interval. Drift: is the mean step above 0? Student's t
// of the steps. The steps of a series that returns to its mean cancel, those of a
// random walk are independent: neither looks like growth, however long a memory it
// has.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace mallogram {

// P(a series without a trend rises as this one does), one-sided. 1: too short.
double MannKendallRises(absl::Span<const double> y);

struct Slope {
  double value = 0, low = 0, high = 0;  // 95 %
};
// REQUIRES: same lengths, x does not fall. Without two different x: 0.
Slope TheilSen(absl::Span<const double> x, absl::Span<const double> y);

// P(steps with a mean of 0 have such a mean), one-sided. Steps that are all the
// same and positive: 0.
double DriftRises(absl::Span<const double> steps);

// P(of came + went events, each as likely to be one as the other, so many or more
// came).
double ComesOftener(uint64_t came, uint64_t went);

}  // namespace mallogram
