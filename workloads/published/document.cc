// The page: each report's claims, and the summary.json of its study beside them.
// Reads foreign or older files: what is missing there is left out.
#include "analyzer/study/report/document.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/study/spec/units.h"
#include "workloads/published/published.h"

namespace mallogram::published {
namespace {

using Json = nlohmann::json;
using study::Cell;
using study::Document;
using study::FormatSignedBytes;
using study::FormatSize;
using study::Grid;
using What = study::Block::What;

Cell SupportCell(Support support) {
  switch (support) {
    case Support::kYes:
      return Cell("yes", Cell::Mood::kGood);
    case Support::kNo:
      return Cell("no", Cell::Mood::kBad);
    case Support::kPartly:
      return Cell("partly", Cell::Mood::kDoubtful);
    case Support::kBeyond:
      break;
  }
  return Cell("cannot", Cell::Mood::kDoubtful);
}

void AddClaims(const PublishedReport& report, Document* document) {
  document->Heading("What it says, and what its tables support");
  Grid grid;
  grid.headings = {{"published", false},
                   {"recomputed from its rows", false},
                   {"supported", false}};
  for (const Claim& claim : report.claims) {
    grid.rows.push_back({claim.said, claim.supports, SupportCell(claim.support)});
  }
  document->AddGrid(std::move(grid));
  document->Heading("What our engine says of its tables");
  for (const std::string& verdict : report.verdicts) document->Item(verdict);
}

std::string Number(double value, const char* format) {
  return std::isfinite(value) ? absl::StrFormat("%.*f", format[0] - '0', value)
                              : "undefined";
}

void AddModels(const PublishedReport& report, Document* document) {
  if (report.models.empty()) return;
  document->Heading("Laws compared, the classical way");
  document->Paragraph(
      "Residuals of ln y; AICc with the variance as a parameter, less that of the "
      "best; leave-one-out error. No priors, and no floor under the noise.");
  Grid grid;
  grid.headings = {
      {"rows", false}, {"law", false}, {"ΔAICc", true}, {"leave one out", true}};
  for (const ModelTable& table : report.models) {
    bool first = true;
    for (const LawScore& law : table.laws) {
      grid.rows.push_back({first ? table.title : "", law.law,
                           Number(law.delta, "1"),
                           std::isfinite(law.leave_one_out)
                               ? absl::StrFormat("%.2f %%", law.leave_one_out * 100)
                               : "undefined"});
      first = false;
    }
  }
  document->AddGrid(std::move(grid));
}

// ---- what was measured ----------------------------------------------------

// nlohmann's value() throws on null: absent and null are the same here.
double NumberOf(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : NAN;
}
std::string TextOf(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}
const Json& ListOf(const Json& json, const char* key) {
  static const Json kNone = Json::array();
  const auto found = json.find(key);
  return found != json.end() && found->is_array() ? *found : kNone;
}

std::string LawText(const Json& fit) {
  std::string text = TextOf(fit, "class");
  const std::string word = TextOf(fit, "word");
  if (word == "not enough data") return word;
  const std::string coarse = TextOf(fit, "coarse");
  if (text == "undetermined" && !coarse.empty()) {
    return absl::StrCat(text, ", ", coarse, "?");
  }
  return absl::StrCat(text, ", ", word);
}

void AddVariant(const Json& table, const Json& variant, Grid* grid) {
  std::string title = TextOf(table, "title");
  const std::string name = TextOf(variant, "name");
  if (!name.empty()) absl::StrAppend(&title, ": ", name);
  const Json& rows = ListOf(variant, "rows");
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& row = rows[i];
    const double published = NumberOf(row, "published");
    // Sizes that the report has, and the largest.
    if (!std::isfinite(published) && i + 1 != rows.size()) continue;
    const double value =
        NumberOf(row.contains("value") ? row["value"] : Json(), "median");
    const double each = NumberOf(row, "per_unit");
    grid->rows.push_back(
        {title,
         absl::StrCat(FormatSize(NumberOf(row, "n")), " ",
                      TextOf(table, "parameter")),
         std::isfinite(published) ? FormatSignedBytes(published) : "",
         FormatSignedBytes(value),
         std::isfinite(published)
             ? absl::StrFormat("%+.1f %%", (value / published - 1) * 100)
             : "",
         std::isfinite(each)
             ? absl::StrCat(FormatSignedBytes(each), " a ", TextOf(table, "unit"))
             : "",
         i + 1 == rows.size()
             ? LawText(variant.contains("fit") ? variant["fit"] : Json::object())
             : ""});
    title.clear();
  }
}

void AddMeasured(const Json& study, Document* document) {
  document->Heading("What the re-created system measures");
  const Json configuration =
      study.contains("configuration") ? study["configuration"] : Json::object();
  std::string where;
  for (const char* key : {"cpu", "kernel", "date"}) {
    const std::string value = TextOf(configuration, key);
    if (!value.empty()) absl::StrAppend(&where, where.empty() ? "" : ", ", value);
  }
  document->Paragraph(absl::StrCat(
      "C++, heap bytes recorded by mallogram; the published figures are those of "
      "another language and, but for the shape, no target. ",
      where.empty() ? "" : absl::StrCat("Measured on: ", where, ".")));
  Grid grid;
  grid.headings = {{"table", false},   {"size", true},       {"published", true},
                   {"measured", true}, {"difference", true}, {"each", true},
                   {"growth", false}};
  for (const Json& table : ListOf(study, "tables")) {
    for (const Json& variant : ListOf(table, "variants")) {
      AddVariant(table, variant, &grid);
    }
  }
  document->AddGrid(std::move(grid));
  Grid criteria;
  criteria.headings = {{"criterion", false},
                       {"target", false},
                       {"measured", false},
                       {"status", false}};
  for (const Json& criterion : ListOf(study, "criteria")) {
    const std::string status = TextOf(criterion, "status");
    criteria.rows.push_back(
        {TextOf(criterion, "name"), TextOf(criterion, "target"),
         TextOf(criterion, "measured"),
         Cell(status, status == "pass"   ? Cell::Mood::kGood
                      : status == "fail" ? Cell::Mood::kBad
                                         : Cell::Mood::kDoubtful)});
  }
  document->AddGrid(std::move(criteria));
}

absl::StatusOr<Json> ReadSummary(const std::string& directory) {
  const std::string file = directory + "/summary.json";
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return absl::NotFoundError(absl::StrCat(
        directory,
        " holds no summary.json: give a directory that mallogram study "
        "has filled"));
  }
  Json json = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("tables")) {
    return absl::DataLossError(absl::StrCat(file, " is no summary of a study"));
  }
  return json;
}

// By its study file's place: workloads/session/study.toml.
bool IsOf(const Json& study, const std::string& workload) {
  const std::string file = TextOf(study, "file");
  return absl::StrContains(absl::StrCat("/", file),
                           absl::StrCat("/", workload, "/")) ||
         TextOf(study, "study") == workload;
}

}  // namespace

absl::StatusOr<Document> DescribePublished(
    absl::Span<const std::string> study_directories) {
  std::vector<Json> studies;
  for (const std::string& directory : study_directories) {
    absl::StatusOr<Json> study = ReadSummary(directory);
    if (!study.ok()) return study.status();
    studies.push_back(*std::move(study));
  }
  Document document;
  document.Add(What::kTitle, "Four published reports, their tables, and ours");
  document.Paragraph(
      "Four projects measured their memory and published what they found. For "
      "each: "
      "what it says, what its own printed rows support when they are fitted "
      "properly, and what the system re-created in C++ (workloads/) measures under "
      "mallogram. \"Cannot\" means that the arithmetic is right, but the data "
      "cannot "
      "carry the statement.");
  document.Paragraph("This page is generated:");
  document.Add(
      What::kCommand,
      "build/workloads/published/published_page session-study chunk_store-study "
      "encoder-study agent-study > workloads/PUBLISHED.md");
  document.Paragraph(
      "where each directory was filled by mallogram study --si "
      "workloads/NAME/study.toml. "
      "Common faults to learn from: R² called confidence; CVs over single runs; "
      "mixed "
      "units; a law fitted to some rows and printed beside others; extrapolation "
      "by "
      "10 to 1,300 times without an interval; ratio tests at two points; a "
      "residual "
      "waved through.");
  for (const PublishedReport& report : {PublishedSessions(), PublishedChunks(),
                                        PublishedEncoder(), PublishedAgents()}) {
    document.Section(report.title);
    document.Paragraph(absl::StrCat("Measured ", report.system,
                                    "; re-created as workloads/", report.id, "."));
    AddClaims(report, &document);
    AddModels(report, &document);
    for (const Json& study : studies) {
      if (IsOf(study, report.id)) AddMeasured(study, &document);
    }
  }
  return document;
}

}  // namespace mallogram::published
