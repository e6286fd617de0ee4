// Who holds the memory: groups of call sites as shares of the value, and the
// largest sites with the law of each.
#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/fit/decompose.h"
#include "analyzer/stacks/names.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

constexpr size_t kMostSites = 10;
constexpr size_t kNameWidth = 64;

std::string TermText(const fit::SiteTerm& term) {
  // Half a byte of constant is rounding.
  std::string text =
      FormatSignedBytes(std::fabs(term.constant) < 0.5 ? 0 : term.constant);
  if (std::fabs(term.factor) < 1e-9) return text;  // rounding as well
  absl::StrAppend(&text, term.factor < 0 ? " - " : " + ",
                  FormatSignedBytes(std::fabs(term.factor)), "·n");
  if (term.exponent != 1)
    absl::StrAppend(&text, absl::StrFormat("^%.3g", term.exponent));
  return text;
}

std::string ClassWord(const fit::SeriesFit& fit) {
  if (fit.word == fit::Word::kNotEnoughData) return "not enough data";
  std::string text(fit::GrowthName(fit.growth));
  if (fit::IsGrowthLaw(fit.growth)) {
    absl::StrAppend(&text, ", ", fit::WordName(fit.word));
  } else if (fit.growth == fit::Growth::kUndetermined && fit.group.has_value() &&
             fit.group_word != fit::Word::kUndetermined) {
    absl::StrAppend(&text, ", ", fit::GroupName(*fit.group), "?");
  }
  return text;
}

double GroupBytes(const Row& row, const std::string& name) {
  const auto found = row.groups.find(name);
  return found == row.groups.end() ? 0 : found->second.median;
}

// Components: bytes at the peak, and the exactly additive constant + linear·n.
void AddGroups(const StudySpec& study, const TableSpec& spec,
               const VariantResult& variant, Document* document) {
  if (study.groups.empty() || variant.rows.empty()) return;
  std::vector<double> n, program;
  std::vector<fit::SiteSeries> series(study.groups.size());
  for (const Row& row : variant.rows) {
    n.push_back(row.n);
    program.push_back(row.metrics[static_cast<size_t>(Metric::kPeak)].median);
    for (size_t i = 0; i < study.groups.size(); ++i) {
      series[i].bytes.push_back(GroupBytes(row, study.groups[i].name));
    }
  }
  const bool parts =
      n.size() >= 3 && *std::min_element(program.begin(), program.end()) > 0;
  fit::Decomposition sum;
  if (parts) sum = fit::Decompose(n, program, series);
  Grid grid;
  grid.headings = {
      {"component", false},
      {absl::StrCat("at ", FormatSize(n.front()), " ", spec.words.parameter), true},
      {absl::StrCat("at ", FormatSize(n.back())), true},
      {"share", true}};
  if (parts) grid.headings.push_back({"constant + linear part", false});
  const double whole = program.back();
  double first_rest = program.front(), last_rest = whole;
  const auto add = [&](const std::string& title, double first, double last,
                       const fit::SiteTerm& term) {
    std::vector<Cell> cells = {title, FormatSignedBytes(first),
                               FormatSignedBytes(last),
                               whole > 0 ? FormatShare(last / whole) : ""};
    if (parts) cells.push_back(TermText(term));
    grid.rows.push_back(std::move(cells));
  };
  for (size_t i = 0; i < study.groups.size(); ++i) {
    const double first = series[i].bytes.front(), last = series[i].bytes.back();
    first_rest -= first;
    last_rest -= last;
    const bool nowhere = std::all_of(series[i].bytes.begin(), series[i].bytes.end(),
                                     [](double bytes) { return bytes == 0; });
    if (nowhere) continue;
    add(study.groups[i].title.empty() ? study.groups[i].name
                                      : study.groups[i].title,
        first, last, parts ? sum.sites[i] : fit::SiteTerm());
  }
  if (grid.rows.empty()) return;
  add("everything else", std::max(0.0, first_rest), std::max(0.0, last_rest),
      sum.remainder);
  if (parts) {
    add("all", program.front(), whole,
        {sum.constant + sum.remainder.constant, sum.linear + sum.remainder.factor,
         1});
  }
  document->Heading(PartTitle("Components at the peak", variant));
  document->AddGrid(std::move(grid));
  if (parts) {
    document->Paragraph(absl::StrCat(
        "Parts add up exactly: each is a constant and so much for each of ",
        spec.words.parameter, ", fitted with the same weights."));
  }
}

std::string SiteName(const CallSite& site) {
  std::string text = ShortName(site.function, kNameWidth, true);
  if (!site.file.empty()) {
    absl::StrAppend(&text, " (", Basename(site.file), ":", site.line, ")");
  }
  return text;
}

void AddSites(const TableSpec& spec, const VariantResult& variant,
              Document* document) {
  const Scaling& scaling = variant.scaling;
  if (scaling.sites.empty()) return;
  const size_t by = std::min(static_cast<size_t>(scaling.by), kSiteMetrics - 1);
  Grid grid;
  grid.headings = {
      {"call site", false},
      {absl::StrCat("at ",
                    FormatSize(scaling.sizes.empty() ? 0 : scaling.sizes.back())),
       true},
      {absl::StrCat("at ", FormatSize(scaling.target)), true},
      {"growth", false},
      {"constant + growing part", false}};
  size_t shown = 0;
  for (const SiteScaling& site : scaling.sites) {
    const fit::SeriesFit& fit = site.metrics[by].fit;
    const double measured = site.at_largest;
    const bool rough = site.source == SiteScaling::Source::kTerm;
    const bool others = site.site == SiteScaling::kOthers;
    if (measured == 0 && site.at_target == 0) continue;
    if (++shown > kMostSites && !site.metrics[by].alarm) continue;
    const std::string name =
        others ? absl::StrCat(scaling.small_sites, " small call sites together")
        : site.site < variant.call_sites.size()
            ? SiteName(variant.call_sites[site.site])
            : "?";
    Cell growth(ClassWord(fit));
    if (site.metrics[by].alarm)
      growth = Cell(growth.text + ": ALARM", Cell::Mood::kBad);
    grid.rows.push_back(
        {name, FormatSignedBytes(measured),
         absl::StrCat(rough ? "~" : "", FormatSignedBytes(site.at_target)), growth,
         TermText(site.term)});
  }
  if (grid.rows.empty()) return;
  document->Heading(PartTitle(
      absl::StrCat("Call sites, by bytes ", MetricText(scaling.by), " at ",
                   FormatSize(scaling.target), " ", spec.words.parameter),
      variant));
  document->AddGrid(std::move(grid));
  std::string text;
  if (shown > kMostSites) {
    text = absl::StrCat(shown - kMostSites, " more have less. ");
  }
  if (scaling.decomposition.has_value()) {
    const fit::Decomposition& sum = *scaling.decomposition;
    absl::StrAppend(&text, "All together: ",
                    TermText({sum.constant + sum.remainder.constant,
                              sum.linear + sum.remainder.factor, 1}),
                    sum.dominant == fit::Decomposition::Term::kSteep
                        ? " and steeper sites, which dominate at the largest size"
                        : "",
                    "; no call site for at most ",
                    FormatShare(sum.largest_remainder), " of it.");
    if (sum.crossover.has_value()) {
      absl::StrAppend(&text, " Steeper sites overtake the rest at n = ",
                      FormatSize(std::round(*sum.crossover)), ".");
    }
  }
  const bool any_rough = std::any_of(
      scaling.sites.begin(), scaling.sites.end(),
      [](const SiteScaling& s) { return s.source == SiteScaling::Source::kTerm; });
  if (any_rough) text += " ~: from the parts, where a prediction is refused.";
  document->Paragraph(text);
}

}  // namespace

void DescribeSites(const StudySpec& study, const TableSpec& spec,
                   const VariantResult& variant, Document* document) {
  AddGroups(study, spec, variant, document);
  AddSites(spec, variant, document);
}

}  // namespace mallogram::study
