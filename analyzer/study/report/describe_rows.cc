// The tables that open a report: values by size beside what others published, the
// quality of the measurement, and growth from one size to the next.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

std::string Text(double value, bool bytes) {
  return bytes ? FormatSignedBytes(value) : FormatNumber(value);
}

bool SomePublished(const VariantResult& variant) {
  return std::any_of(variant.rows.begin(), variant.rows.end(),
                     [](const Row& row) { return row.published.has_value(); });
}

std::string Difference(double ours, double theirs) {
  if (theirs == 0) return "";
  const double share = ours / theirs - 1;
  if (std::fabs(share) >= 9.995) return absl::StrFormat("x %.3g", ours / theirs);
  return absl::StrCat(share < 0 ? "" : "+", FormatShare(share));
}

// Sizes, the value, each unit's, what was published, further columns.
void AddValues(const TableSpec& spec, const VariantResult& variant,
               Document* document) {
  const bool published = SomePublished(variant);
  const bool per_unit = !spec.unit.empty();
  Grid grid;
  grid.headings = {{spec.words.parameter, true}, {spec.words.value_title, true}};
  if (per_unit) grid.headings.push_back({absl::StrCat("per ", spec.unit), true});
  if (published) {
    grid.headings.push_back({"published", true});
    grid.headings.push_back({"difference", true});
  }
  for (const Column& column : spec.columns) {
    grid.headings.push_back({column.title, true});
  }
  for (const Column& ratio : spec.ratios)
    grid.headings.push_back({ratio.title, true});
  for (const Row& row : variant.rows) {
    std::vector<Cell> cells = {FormatSize(row.n),
                               FormatSignedBytes(row.value.median)};
    if (per_unit) {
      cells.push_back(row.per_unit.has_value() ? FormatSignedBytes(*row.per_unit)
                                               : "");
    }
    if (published) {
      cells.push_back(row.published.has_value() ? FormatSignedBytes(*row.published)
                                                : "");
      cells.push_back(row.published.has_value()
                          ? Difference(row.value.median, *row.published)
                          : "");
    }
    for (size_t i = 0; i < spec.columns.size(); ++i) {
      cells.push_back(i < row.columns.size()
                          ? Text(row.columns[i].median, spec.columns[i].bytes)
                          : "");
    }
    for (size_t i = 0; i < spec.ratios.size(); ++i) {
      cells.push_back(i < row.ratios.size()
                          ? absl::StrFormat("%.3g", row.ratios[i].median)
                          : "");
    }
    grid.rows.push_back(std::move(cells));
  }
  document->AddGrid(std::move(grid));
  if (published && !spec.words.published_text.empty()) {
    document->Paragraph(
        absl::StrCat("Published: ", spec.words.published_text, "."));
  }
}

// How well it was measured: replicates, and the heap beside the resident set.
void AddQuality(const VariantResult& variant, absl::string_view parameter,
                Document* document) {
  Grid grid;
  grid.headings = {{std::string(parameter), true},
                   {"runs", true},
                   {"SD", true},
                   {"CV", true},
                   {"lowest", true},
                   {"highest", true},
                   {"peak heap", true},
                   {"peak RSS", true},
                   {"gap", true},
                   {"allocated", true},
                   {"allocations", true}};
  for (const Row& row : variant.rows) {
    const auto metric = [&row](Metric which) {
      return row.metrics[static_cast<size_t>(which)].median;
    };
    const bool single = !row.value.sd.has_value();
    grid.rows.push_back(
        {FormatSize(row.n), absl::StrCat(row.value.count),
         single ? "single run" : FormatSignedBytes(*row.value.sd),
         row.value.cv.has_value() ? FormatShare(*row.value.cv) : "",
         FormatSignedBytes(row.value.low), FormatSignedBytes(row.value.high),
         FormatSignedBytes(metric(Metric::kPeak)),
         FormatSignedBytes(metric(Metric::kRss)),
         FormatSignedBytes(metric(Metric::kRss) - metric(Metric::kPeak)),
         FormatSignedBytes(metric(Metric::kAllocated)),
         FormatNumber(metric(Metric::kCalls))});
  }
  document->AddGrid(std::move(grid));
}

void AddGrowth(const TableSpec& spec, const VariantResult& variant,
               Document* document) {
  Grid grid;
  grid.headings = {{absl::StrCat("from ", spec.words.parameter), true},
                   {"to", true},
                   {"input", true},
                   {"memory", true},
                   {"exponent", true}};
  for (size_t i = 1; i < variant.rows.size(); ++i) {
    const Row &from = variant.rows[i - 1], &to = variant.rows[i];
    if (from.value.median <= 0 || to.value.median <= 0) continue;
    const double input = to.n / from.n,
                 memory = to.value.median / from.value.median;
    grid.rows.push_back(
        {FormatSize(from.n), FormatSize(to.n), absl::StrFormat("×%.3g", input),
         absl::StrFormat("×%.4g", memory),
         absl::StrFormat("%.3f", std::log(memory) / std::log(input))});
  }
  if (grid.rows.empty()) return;
  document->Heading(PartTitle("Growth from size to size", variant));
  document->AddGrid(std::move(grid));
}

}  // namespace

void DescribeRows(const TableSpec& spec, const VariantResult& variant,
                  Document* document) {
  document->Heading(PartTitle("Measured", variant));
  AddValues(spec, variant, document);
  document->Heading(PartTitle("How it was measured", variant));
  AddQuality(variant, spec.words.parameter, document);
  AddGrowth(spec, variant, document);
}

}  // namespace mallogram::study
