// Variants of one table against its baseline, by size and by component: what a
// change of the program's arguments saves or costs.
#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "analyzer/stacks/names.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

constexpr size_t kMostChanges = 6;

const VariantResult& Baseline(const TableResult& table) {
  for (const VariantResult& variant : table.variants) {
    if (variant.name == table.spec.baseline) return variant;
  }
  return table.variants.front();
}

const Row* At(const VariantResult& variant, double n) {
  for (const Row& row : variant.rows) {
    if (row.n == n) return &row;
  }
  return nullptr;
}

Cell Change(double before, double after) {
  if (before == 0) return Cell(after == 0 ? "" : "new", Cell::Mood::kPlain);
  const double share = after / before - 1;
  return Cell(absl::StrCat(share > 0 ? "+" : "", FormatShare(share)),
              share > 0.005    ? Cell::Mood::kBad
              : share < -0.005 ? Cell::Mood::kGood
                               : Cell::Mood::kPlain);
}

// A size a row, two columns a variant.
void AddSizes(const TableResult& table, const VariantResult& baseline,
              Document* document) {
  Grid grid;
  grid.headings = {{table.spec.words.parameter, true},
                   {absl::StrCat(baseline.name, " (baseline)"), true}};
  for (const VariantResult& variant : table.variants) {
    if (&variant == &baseline) continue;
    grid.headings.push_back({variant.name, true});
    grid.headings.push_back({"change", true});
  }
  for (const Row& row : baseline.rows) {
    std::vector<Cell> cells = {FormatSize(row.n),
                               FormatSignedBytes(row.value.median)};
    for (const VariantResult& variant : table.variants) {
      if (&variant == &baseline) continue;
      const Row* other = At(variant, row.n);
      cells.push_back(other == nullptr ? ""
                                       : FormatSignedBytes(other->value.median));
      cells.push_back(other == nullptr
                          ? Cell()
                          : Change(row.value.median, other->value.median));
    }
    grid.rows.push_back(std::move(cells));
  }
  std::vector<Cell> laws = {
      "growth", std::string(fit::GrowthName(baseline.value_fit.growth))};
  for (const VariantResult& variant : table.variants) {
    if (&variant == &baseline) continue;
    const bool changed = variant.value_fit.growth != baseline.value_fit.growth;
    laws.push_back(Cell(std::string(fit::GrowthName(variant.value_fit.growth)),
                        changed ? Cell::Mood::kDoubtful : Cell::Mood::kPlain));
    laws.push_back("");
  }
  grid.rows.push_back(std::move(laws));
  document->AddGrid(std::move(grid));
}

struct Difference {
  std::string name;
  double before = 0, after = 0;
};

// Components at the peak of the largest size that both have.
std::vector<Difference> GroupDifferences(const StudySpec& study, const Row& before,
                                         const Row& after) {
  std::vector<Difference> differences;
  double rest_before = before.metrics[static_cast<size_t>(Metric::kPeak)].median;
  double rest_after = after.metrics[static_cast<size_t>(Metric::kPeak)].median;
  for (const Group& group : study.groups) {
    const auto bytes = [&group](const Row& row) {
      const auto found = row.groups.find(group.name);
      return found == row.groups.end() ? 0.0 : found->second.median;
    };
    const Difference difference = {group.title.empty() ? group.name : group.title,
                                   bytes(before), bytes(after)};
    rest_before -= difference.before;
    rest_after -= difference.after;
    differences.push_back(difference);
  }
  differences.push_back(
      {"everything else", std::max(0.0, rest_before), std::max(0.0, rest_after)});
  std::sort(differences.begin(), differences.end(),
            [](const Difference& a, const Difference& b) {
              return std::fabs(a.after - a.before) > std::fabs(b.after - b.before);
            });
  while (!differences.empty() &&
         differences.back().before == differences.back().after) {
    differences.pop_back();
  }
  if (differences.size() > kMostChanges) differences.resize(kMostChanges);
  return differences;
}

void AddComponents(const StudySpec& study, const TableResult& table,
                   const VariantResult& baseline, Document* document) {
  if (study.groups.empty() || baseline.rows.empty()) return;
  const Row& before = baseline.rows.back();
  Grid grid;
  grid.headings = {{"variant", false},    {"component at the peak", false},
                   {baseline.name, true}, {"variant", true},
                   {"change", true},      {"bytes", true}};
  for (const VariantResult& variant : table.variants) {
    const Row* after = &variant == &baseline ? nullptr : At(variant, before.n);
    if (after == nullptr) continue;
    for (const Difference& d : GroupDifferences(study, before, *after)) {
      const double bytes = d.after - d.before;
      grid.rows.push_back(
          {variant.name, d.name, FormatSignedBytes(d.before),
           FormatSignedBytes(d.after), Change(d.before, d.after),
           absl::StrCat(bytes > 0 ? "+" : "", FormatSignedBytes(bytes))});
    }
  }
  if (grid.rows.empty()) return;
  document->Heading(absl::StrCat("What changed at ", FormatSize(before.n), " ",
                                 table.spec.words.parameter));
  document->AddGrid(std::move(grid));
}

}  // namespace

void DescribeVariants(const StudySpec& study, const TableResult& table,
                      Document* document) {
  if (table.variants.size() < 2) return;
  const VariantResult& baseline = Baseline(table);
  document->Heading(
      absl::StrCat("Against ", baseline.name, ": ", table.spec.words.value_title));
  AddSizes(table, baseline, document);
  AddComponents(study, table, baseline, document);
}

}  // namespace mallogram::study
