// The table that `mallogram fit --data` reads: measurements by series.
//
// Tab-separated. Empty lines and lines that begin with # are skipped; the first
// other line names the columns. Needed: id, n, bytes. Known: rep (only for people),
// quantum (bytes that values are rounded to), role (rows with role "predict" are
// the truth to hold a prediction against, and are not fitted). Other columns are
// ignored.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analyzer/fit/sample.h"

namespace mallogram::fit {

struct TableSeries {
  std::string id;
  double quantum = 0;  // 0: not given
  std::vector<Measurement> fitted;
  std::vector<Measurement> truth;  // rows with role "predict"
};

// Series in the order of their first rows; every one has something to fit. Errors
// name the line.
absl::StatusOr<std::vector<TableSeries>> ParseTable(absl::string_view text);

}  // namespace mallogram::fit
