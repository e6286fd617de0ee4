// How the value grows, in sentences: its law, predictions, and what a budget and an
// estimate mean under it. Where no law was told, the reason stands instead.
#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

std::string Capital(std::string text) {
  if (!text.empty()) text[0] = absl::ascii_toupper(text[0]);
  return text;
}

std::string Range(const fit::SeriesFit& fit, absl::string_view parameter) {
  const std::vector<fit::SizeStats>& sizes = fit.series.sizes;
  if (sizes.empty()) return "";
  return absl::StrCat(FormatSize(sizes.front().n), " to ",
                      FormatSize(sizes.back().n), " ", parameter);
}

std::string ClassText(const fit::SeriesFit& fit, absl::string_view parameter) {
  const std::string range = Range(fit, parameter);
  if (fit.growth == fit::Growth::kUndetermined) {
    std::string text = absl::StrCat("undetermined for ", range);
    if (fit.group.has_value()) {
      absl::StrAppend(&text, ": ", fit::GroupName(*fit.group), " or near it (",
                      fit::WordName(fit.group_word), ")");
    }
    return text;
  }
  if (fit.growth == fit::Growth::kConstant) {
    std::string text = absl::StrCat("no growth seen for ", range);
    if (fit.growth_at_most.has_value()) {
      absl::StrAppend(&text, ": at most ", FormatShare(*fit.growth_at_most),
                      " over the range (95 %)");
    }
    return absl::StrCat(text, ", ", fit::WordName(fit.word), " confidence");
  }
  if (!fit::IsGrowthLaw(fit.growth)) {
    return absl::StrCat(fit::GrowthName(fit.growth), " for ", range);
  }
  const fit::Law& law = *fit.law;
  std::string text(fit::GrowthName(fit.growth));
  for (const std::string& modifier : fit::Modifiers(law)) {
    // Amounts of bytes, which the law's own words leave plain.
    if (modifier.rfind("at ", 0) == 0) {
      absl::StrAppend(&text, " at ", FormatSignedBytes(fit::Value(law, law.c)));
    } else if (modifier.rfind("with constant", 0) == 0) {
      absl::StrAppend(&text, ", with constant ", FormatSignedBytes(law.a));
    } else {
      absl::StrAppend(&text, ", ", modifier);
    }
  }
  return absl::StrCat(text, ", ", fit::WordName(fit.word), " confidence, for ",
                      range);
}

const fit::Parameter* Named(const fit::SeriesFit& fit, absl::string_view name) {
  for (const fit::Parameter& parameter : fit.parameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

bool IsLine(const fit::SeriesFit& fit) {
  return fit.law.has_value() && fit.growth == fit::Growth::kLinear &&
         fit.law->form == fit::Form::kBasis &&
         fit.law->basis == fit::Basis::kLinear;
}

void AddPredictions(const TableSpec& spec, const fit::SeriesFit& fit,
                    Document* document) {
  if (fit.predictions.empty() && fit.refused.empty()) return;
  Grid grid;
  grid.headings = {{spec.words.parameter, true},
                   {"predicted", true},
                   {"95 % interval", true},
                   {"beyond the data", true}};
  const bool budget = spec.budget.has_value();
  if (budget) {
    grid.headings.push_back(
        {absl::StrCat("within ", FormatSignedBytes(*spec.budget)), false});
  }
  const double largest = fit.series.sizes.empty() ? 0 : fit.series.sizes.back().n;
  const auto beyond = [largest](double n) {
    return n <= largest ? std::string("no") : absl::StrFormat("×%.3g", n / largest);
  };
  for (const fit::Prediction& p : fit.predictions) {
    std::vector<Cell> cells = {
        FormatSize(p.n), FormatSignedBytes(p.value),
        absl::StrCat(FormatSignedBytes(p.low), " to ", FormatSignedBytes(p.high)),
        beyond(p.n)};
    if (budget) {
      cells.push_back(p.high <= *spec.budget ? Cell("yes", Cell::Mood::kGood)
                      : p.low > *spec.budget ? Cell("no", Cell::Mood::kBad)
                                             : Cell("open", Cell::Mood::kDoubtful));
    }
    grid.rows.push_back(std::move(cells));
  }
  std::vector<std::string> reasons;
  for (const fit::RefusedPrediction& refused : fit.refused) {
    std::vector<Cell> cells = {FormatSize(refused.n),
                               Cell("no figure", Cell::Mood::kDoubtful), "",
                               beyond(refused.n)};
    if (budget) cells.push_back("");
    grid.rows.push_back(std::move(cells));
    const std::string reason =
        absl::StrCat(FormatSize(refused.n), ": ", refused.reason);
    if (reasons.empty() || reasons.back() != reason) reasons.push_back(reason);
  }
  document->AddGrid(std::move(grid));
  for (const std::string& reason : reasons) {
    document->Paragraph(absl::StrCat("No figure for ", reason, "."));
  }
}

// Used, remaining, largest n: what one asks of a budget.
void AddBudget(const TableSpec& spec, const VariantResult& variant,
               Document* document) {
  if (variant.rows.empty()) return;
  const fit::SeriesFit& fit = variant.value_fit;
  const Row& last = variant.rows.back();
  if (spec.budget.has_value()) {
    std::string text = absl::StrCat(
        "Budget ", FormatSignedBytes(*spec.budget), ": at ", FormatSize(last.n),
        " ", spec.words.parameter, " ",
        FormatShare(last.value.median / *spec.budget), " is used, ",
        FormatSignedBytes(*spec.budget - last.value.median), " remain. ");
    if (!fit.budget.has_value()) {
      text += "How many fit: no answer without a law.";
    } else if (fit.budget->n <= 0) {
      text += "Not even the smallest size stays within it.";
    } else {
      const double whole = std::floor(fit.budget->n);
      absl::StrAppend(&text,
                      "The largest n whose upper 95 % bound stays within it: ",
                      FormatSize(whole), " ", spec.words.parameter);
      if (fit.budget->reached_limit) {
        text += ", as far as predictions go; more may fit";
      } else if (whole > last.n) {
        absl::StrAppend(&text, ", ", FormatSize(whole - last.n),
                        " more than were measured");
      }
      text += ".";
    }
    document->Paragraph(text);
  }
  if (spec.unit_budget.has_value()) {
    double worst = 0;
    for (const Row& row : variant.rows) {
      if (row.per_unit.has_value()) worst = std::max(worst, *row.per_unit);
    }
    document->Paragraph(absl::StrCat(
        "Budget of ", FormatSignedBytes(*spec.unit_budget), " a ", spec.unit,
        ": at most ", FormatSignedBytes(worst), " at the sizes measured, ",
        FormatShare(worst / *spec.unit_budget), " of it."));
  }
}

void AddCapacity(const TableSpec& spec, const VariantResult& variant,
                 Document* document) {
  if (spec.unit.empty() || variant.rows.empty()) return;
  const Row& last = variant.rows.back();
  if (spec.estimate.has_value() && last.per_unit.has_value()) {
    const double share = *last.per_unit / *spec.estimate - 1;
    document->Paragraph(absl::StrCat(
        "Estimated ", FormatSignedBytes(*spec.estimate), " a ", spec.unit,
        ", measured ", FormatSignedBytes(*last.per_unit), " at ",
        FormatSize(last.n), " ", spec.words.parameter, ": ",
        FormatShare(std::fabs(share)), share < 0 ? " less." : " more."));
  }
  if (!IsLine(variant.value_fit) || !last.per_unit.has_value() ||
      *last.per_unit <= 0) {
    return;
  }
  const double fit_in = 1e9 / *last.per_unit;
  document->Paragraph(absl::StrCat(
      "A GB holds ", FormatNumber(std::floor(fit_in)), " ", UnitPlural(spec.unit),
      " at ", FormatSignedBytes(*last.per_unit), " each: arithmetic, ",
      last.units > 0 ? absl::StrFormat("%.3g times", fit_in / last.units)
                     : std::string("far"),
      " beyond what was measured, and no prediction."));
}

}  // namespace

std::string LawSentence(const fit::SeriesFit& fit, absl::string_view parameter,
                        absl::string_view unit) {
  if (fit.growth == fit::Growth::kZero) return "Zero at every size.";
  if (fit.word == fit::Word::kNotEnoughData) {
    return absl::StrCat(
        fit.refusal.empty() ? "Not enough data" : Capital(fit.refusal), ".");
  }
  std::string text = Capital(ClassText(fit, parameter));
  if (const fit::Parameter* factor = Named(fit, "factor");
      factor != nullptr && IsLine(fit)) {
    absl::StrAppend(&text, ": ", FormatSignedBytes(factor->value), " [",
                    FormatSignedBytes(factor->low), ", ",
                    FormatSignedBytes(factor->high), "] ",
                    unit.empty() ? absl::StrCat("for each of ", parameter)
                                 : absl::StrCat("a ", unit));
  }
  text += ".";
  if (fit.law.has_value() && fit.growth != fit::Growth::kErratic) {
    absl::StrAppend(
        &text, fit.growth == fit::Growth::kUndetermined ? " Nearest law: " : " ",
        "bytes = ", fit::LawText(*fit.law));
    std::vector<std::string> numbers;
    if (fit.exponent.has_value()) {
      numbers.push_back(absl::StrFormat("exponent %.4g [%.4g, %.4g]",
                                        fit.exponent->value, fit.exponent->low,
                                        fit.exponent->high));
    }
    if (fit.residual_sd.has_value()) {
      numbers.push_back(
          absl::StrFormat("scatter around it %.2g %%", *fit.residual_sd * 100));
    }
    if (!numbers.empty()) {
      absl::StrAppend(&text, "; ", absl::StrJoin(numbers, ", "));
    }
    text += ".";
  }
  return text;
}

void DescribeLaw(const TableSpec& spec, const VariantResult& variant,
                 Document* document) {
  const fit::SeriesFit& fit = variant.value_fit;
  document->Heading(PartTitle("How it grows", variant));
  // A law speaks of n: of the unit only where n counts units.
  const bool counts = std::all_of(
      variant.rows.begin(), variant.rows.end(),
      [](const Row& row) { return std::fabs(row.units - row.n) < 0.5; });
  document->Paragraph(
      LawSentence(fit, spec.words.parameter, counts ? spec.unit : ""));
  for (const fit::Flag& flag : fit.flags) {
    // Said already: by the column of runs, and by the sentence above.
    if (flag.name == "single run" || flag.name == "no growth seen") continue;
    document->Item(absl::StrCat(Capital(flag.text), "."));
  }
  if (fit.word != fit::Word::kNotEnoughData && fit.refused.empty() &&
      !fit.refusal.empty()) {
    document->Item(absl::StrCat(Capital(fit.refusal), "."));
  }
  AddPredictions(spec, fit, document);
  AddBudget(spec, variant, document);
  AddCapacity(spec, variant, document);
}

}  // namespace mallogram::study
