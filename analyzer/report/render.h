// Results to text. No computing and no I/O here: what is shown was worked out by
// the analyses, and where it goes is the caller's business.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/terminal.h"
#include "analyzer/recording/trace.h"
#include "analyzer/report/analyses.h"
#include "analyzer/report/report.h"

namespace mallogram {

struct TextOptions {
  Style style;
  Measure by = Measure::kPeak;
  bool tree = false;        // the call tree instead of the top call sites
  bool full_names = false;  // functions with arguments, however long
};

struct TextInput {
  const Report& report;
  const StackBook& book;
  TopSites top;               // unless tree
  std::vector<TreeRow> tree;  // if tree
  Curve curve;                // CurveColumns() wide
  CostEstimate cost;
};

size_t CurveColumns(const Style& style);
std::string RenderReport(const TextInput& input, const TextOptions& options);

// "by" in words: "bytes at the peak".
absl::string_view MeasureText(Measure by);
// "12.3 MiB", or a count.
std::string MeasureValue(uint64_t value, Measure by);

using Sink = absl::FunctionRef<void(absl::string_view)>;
// One JSON object as analyzer/report/report.schema.json says. Piecewise: a report
// of a million stacks is larger than memory should be asked for. `top`: that many
// sites, heaviest by `by` first; 0: all.
void RenderReportJson(const Report& report, const StackBook& book,
                      const CostEstimate& cost, Measure by, size_t top, Sink sink);

std::string RenderInfo(const Trace& trace, const Style& style);
std::string RenderInfoJson(const Trace& trace);

}  // namespace mallogram
