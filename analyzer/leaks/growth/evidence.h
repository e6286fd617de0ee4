// What speaks for the growth of one site, and what against it; see label.h.
#pragma once

#include "analyzer/leaks/growth/course.h"
#include "analyzer/leaks/growth/label.h"

namespace mallogram {

// All but the label. REQUIRES: at least one cohort.
SiteGrowth WeighEvidence(const Course& course);

}  // namespace mallogram
