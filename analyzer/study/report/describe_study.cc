// The report as a whole: what was asked, criteria first, then the tables, where it
// was measured, and how exact its figures are. Its parts are in the other
// describe_*.cc.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/format.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

using What = Block::What;

Cell StatusCell(Status status) {
  switch (status) {
    case Status::kPass:
      return Cell("PASS", Cell::Mood::kGood);
    case Status::kFail:
      return Cell("FAIL", Cell::Mood::kBad);
    case Status::kUndecided:
      break;
  }
  return Cell("UNDECIDED", Cell::Mood::kDoubtful);
}

void AddCriteria(const StudyResult& result, Document* document) {
  if (result.criteria.empty()) return;
  document->Section("Success criteria");
  Grid grid;
  grid.headings = {{"criterion", false},     {"table", false},
                   {"target", false},        {"measured", false},
                   {"95 % interval", false}, {"status", false}};
  std::vector<std::string> reasons;
  for (const CriterionResult& criterion : result.criteria) {
    std::string table = criterion.spec.table;
    if (!criterion.spec.variant.empty()) {
      absl::StrAppend(&table, ", ", criterion.spec.variant);
    }
    grid.rows.push_back({criterion.spec.name, table, criterion.spec.target,
                         criterion.measured, criterion.interval,
                         StatusCell(criterion.status)});
    if (!criterion.reason.empty()) {
      reasons.push_back(
          absl::StrCat(criterion.spec.name, ": ", criterion.reason, "."));
    }
  }
  document->AddGrid(std::move(grid));
  for (const std::string& reason : reasons) document->Item(reason);
}

void AddConfiguration(const StudyResult& result, Document* document) {
  document->Section("Configuration");
  Grid grid;
  grid.headings = {{"", false}, {"", false}};
  for (const auto& [key, value] : result.configuration) {
    grid.rows.push_back({key, value});
  }
  document->AddGrid(std::move(grid));
  Grid tables;
  tables.headings = {{"table", false},
                     {"parameter", false},
                     {"sizes", false},
                     {"runs a size", true},
                     {"warm-up", false}};
  for (const TableResult& table : result.tables) {
    tables.rows.push_back({table.spec.id, table.spec.words.parameter,
                           absl::StrJoin(table.spec.runs.sizes, ", "),
                           absl::StrCat(table.spec.runs.reps),
                           table.spec.runs.warm_up ? "yes" : "no"});
  }
  document->AddGrid(std::move(tables));
  document->Paragraph("Every run is a fresh process.");
}

// One of our own quantities, rounded: what the figures are worth.
void AddAccuracy(const StudyResult& result, Document* document) {
  document->Section("Accuracy");
  document->Item(absl::StrCat(
      UsesSi()
          ? "Units are SI: 1 kB = 1000 B, 1 MB = 1000 kB"
          : "Units are binary: 1 KiB = 1024 B, 1 MiB = 1024 KiB (--si: kB, MB)",
      "; three digits are shown, the JSON has all of them."));
  document->Item(
      "Heap bytes are what the program asked malloc, new and their kin for, every "
      "block, to the byte. The allocator's own headers, rounding and free memory "
      "are "
      "not in them; they are in the resident set, and in the gap between the two.");
  document->Item(
      "Not tracked: mappings that the program makes itself, stacks, code and "
      "static "
      "data. They, too, are in the resident set, which the kernel counts in pages "
      "of "
      "4096 B and which is sampled.");
  document->Item(
      "Values at a phase are those at the time of its mark, as precise as the "
      "recording's clock stamps.");
  document->Item(
      "SD and CV are of replicates of one size, in processes of their own. A "
      "program "
      "that does the same every time has none: that says nothing of how well a law "
      "fits. With a single run there is no CV.");
  document->Item(
      "Laws are fitted to medians, in relative error. Confidence is a word for how "
      "surely the class was told from the others; it is not R², and it says "
      "nothing "
      "of sizes beyond those measured. Intervals are 95 %.");
  for (const std::string& warning : result.warnings) {
    document->Item(absl::StrCat("Warning: ", warning));
  }
}

void AddTable(const StudySpec& study, const TableResult& table,
              const std::vector<PlotFile>& plots, Document* document) {
  document->Section(table.spec.words.title);
  document->Paragraph(table.spec.words.note);
  DescribeVariants(study, table, document);
  for (const PlotFile& plot : plots) {
    if (plot.table == table.spec.id) {
      document->blocks.push_back({What::kPicture, plot.title, plot.file, {}});
    }
  }
  for (const VariantResult& variant : table.variants) {
    if (!variant.command.empty()) {
      document->Add(What::kCommand, JoinCommand(variant.command));
    }
    DescribeRows(table.spec, variant, document);
    DescribeLaw(table.spec, variant, document);
    DescribePhases(table.spec, variant, document);
    DescribeSites(study, table.spec, variant, document);
    const std::vector<std::string> hints = Hints(table.spec, variant);
    if (hints.empty()) continue;
    document->Heading(PartTitle("Worth a look", variant));
    for (const std::string& hint : hints) document->Item(hint);
  }
}

}  // namespace

std::string PartTitle(absl::string_view title, const VariantResult& variant) {
  if (variant.name.empty()) return std::string(title);
  return absl::StrCat(title, ": ", variant.name);
}

std::string UnitPlural(absl::string_view unit) {
  // "byte of input" -> "bytes of input".
  const size_t of = unit.find(" of ");
  if (of != absl::string_view::npos) {
    return absl::StrCat(unit.substr(0, of), "s", unit.substr(of));
  }
  return absl::StrCat(unit, "s");
}

Document DescribeStudy(const StudyResult& result,
                       const std::vector<PlotFile>& plots) {
  Document document;
  document.Add(What::kTitle, result.spec.title);
  document.Paragraph(result.spec.description);
  if (!result.spec.source.empty()) {
    document.Paragraph(absl::StrCat("After: ", result.spec.source, "."));
  }
  AddCriteria(result, &document);
  for (const TableResult& table : result.tables) {
    AddTable(result.spec, table, plots, &document);
  }
  AddConfiguration(result, &document);
  AddAccuracy(result, &document);
  document.Section("Reproduction");
  document.Add(What::kCommand, result.reproduce);
  document.Paragraph(absl::StrCat("Took ", FormatSeconds(result.seconds), "."));
  return document;
}

}  // namespace mallogram::study
