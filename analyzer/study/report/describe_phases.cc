// Heap bytes at the phases that the program announces, and what is left after
// close.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

// Heap bytes at every phase, a column a size: at most six sizes.
void AddTimeline(const TableSpec& spec, const VariantResult& variant,
                 Document* document) {
  constexpr size_t kMost = 6;
  if (variant.rows.empty() || variant.rows.back().phases.empty()) return;
  const size_t first =
      variant.rows.size() > kMost ? variant.rows.size() - kMost : 0;
  Grid grid;
  grid.headings = {{"phase", false}};
  for (size_t i = first; i < variant.rows.size(); ++i) {
    grid.headings.push_back(
        {absl::StrCat(FormatSize(variant.rows[i].n), " ", spec.words.parameter),
         true});
  }
  for (const std::string& phase : variant.phases) {
    std::vector<Cell> cells = {phase};
    for (size_t i = first; i < variant.rows.size(); ++i) {
      const auto found = variant.rows[i].phases.find(phase);
      cells.push_back(found == variant.rows[i].phases.end()
                          ? ""
                          : FormatSignedBytes(found->second.median));
    }
    grid.rows.push_back(std::move(cells));
  }
  if (grid.rows.empty()) return;
  document->Heading(PartTitle("Heap by phase", variant));
  document->AddGrid(std::move(grid));
}

std::string ResidualVerdict(const TableSpec& spec, const VariantResult& variant) {
  size_t sizes = 0;
  double largest = 0;
  for (const Row& row : variant.rows) {
    if (!row.residual.has_value()) continue;
    ++sizes;
    largest = std::max(largest, *row.residual);
  }
  if (sizes < 2) {
    return "One size cannot tell a constant remainder from one that grows with the "
           "input.";
  }
  if (largest <= 0) return "Nothing is left, at any size.";
  if (!variant.residual_fit.has_value()) return "";
  const fit::SeriesFit& fit = *variant.residual_fit;
  std::string text =
      absl::StrCat("The remainder over the input: ",
                   LawSentence(fit, spec.words.parameter, spec.unit));
  if (fit::IsGrowthLaw(fit.growth) && fit.growth > fit::Growth::kBounded) {
    text +=
        " It grows with the input: memory that is kept or lost, not a cache of "
        "the allocator.";
  } else if (fit.growth == fit::Growth::kConstant) {
    text += " It does not grow with the input: something that is made once.";
  }
  return text;
}

void AddResidual(const TableSpec& spec, const VariantResult& variant,
                 Document* document) {
  if (!spec.residual.has_value()) return;
  Grid grid;
  grid.headings = {
      {spec.words.parameter, true}, {"left after close", true}, {"share", true}};
  const bool per_unit = !spec.unit.empty();
  if (per_unit) grid.headings.push_back({absl::StrCat("per ", spec.unit), true});
  for (const Row& row : variant.rows) {
    if (!row.residual.has_value()) continue;
    std::vector<Cell> cells = {
        FormatSize(row.n), FormatSignedBytes(*row.residual),
        row.residual_share.has_value() ? FormatShare(*row.residual_share) : ""};
    if (per_unit) {
      cells.push_back(row.units > 0 ? FormatSignedBytes(*row.residual / row.units)
                                    : "");
    }
    grid.rows.push_back(std::move(cells));
  }
  if (grid.rows.empty()) return;
  document->Heading(PartTitle("Left after close", variant));
  document->AddGrid(std::move(grid));
  document->Paragraph(absl::StrCat(
      "Left is (", spec.residual->after, ") - (", spec.residual->before,
      "), a share of (", spec.residual->high, ") - (", spec.residual->before, "). ",
      ResidualVerdict(spec, variant)));
}

}  // namespace

void DescribePhases(const TableSpec& spec, const VariantResult& variant,
                    Document* document) {
  AddTimeline(spec, variant, document);
  AddResidual(spec, variant, document);
}

}  // namespace mallogram::study
