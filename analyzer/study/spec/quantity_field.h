// A field of a study file that holds a quantity, with every name in it checked: a
// slip is an error with its line, before anything has been run.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/study/spec/fields.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

// The quantity at `key`, or `otherwise`; empty: it must be there. `groups`: those
// that it may name.
Quantity ReadQuantity(Fields* fields, absl::string_view key,
                      absl::string_view otherwise,
                      const std::vector<Group>& groups);

}  // namespace mallogram::study
