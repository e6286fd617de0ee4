// Fits for people: a verdict first, then the figures that it rests on.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/format.h"
#include "analyzer/scaling/render_fit.h"

namespace mallogram::fit {
namespace {

constexpr size_t kWidestId = 40;

std::string Bytes(double bytes) {
  return FormatBytes(static_cast<uint64_t>(std::llround(std::min(bytes, 9e18))));
}

std::string Size(double n) { return absl::StrFormat("%.10g", n); }

class Writer {
 public:
  explicit Writer(const FitTextStyle& style) : style_(style) {}

  void Line(absl::string_view text) { absl::StrAppend(&text_, text, "\n"); }
  void Indented(absl::string_view text) {
    absl::StrAppend(&text_, "    ", text, "\n");
  }
  std::string Colored(absl::string_view code, absl::string_view text) const {
    if (!style_.color) return std::string(text);
    return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
  }
  bool ascii() const { return !style_.utf8; }
  std::string Take() { return std::move(text_); }

 private:
  const FitTextStyle style_;
  std::string text_;
};

std::string NumbersText(const SeriesFit& fit) {
  std::vector<std::string> parts;
  if (fit.exponent.has_value()) {
    parts.push_back(absl::StrFormat("exponent %.3g [%.3g, %.3g]",
                                    fit.exponent->value, fit.exponent->low,
                                    fit.exponent->high));
  }
  if (fit.local_slope.has_value()) {
    parts.push_back(
        absl::StrFormat("slope at the largest n %.3g", *fit.local_slope));
  }
  if (fit.residual_sd.has_value()) {
    parts.push_back(absl::StrFormat("residual %.2g %%", *fit.residual_sd * 100));
  }
  if (fit.series.cv.has_value()) {
    parts.push_back(absl::StrFormat("CV %.2g %%", *fit.series.cv * 100));
  }
  return absl::StrJoin(parts, "; ");
}

void WriteSeries(const NamedFit& named, std::optional<double> budget, Writer* out) {
  const SeriesFit& fit = named.fit;
  const absl::string_view color = fit.word == Word::kHigh     ? "32"
                                  : fit.word == Word::kLikely ? "36"
                                                              : "33";
  out->Line(absl::StrCat(
      out->Colored("1", Printable(named.id, !out->ascii()).substr(0, kWidestId)),
      "  ", out->Colored(color, VerdictText(fit, out->ascii())),
      named.alarm ? out->Colored("1;31", "  ALARM: steeper than linear") : ""));
  if (fit.law.has_value() && fit.growth != Growth::kErratic) {
    out->Indented(
        absl::StrCat(fit.growth == Growth::kUndetermined ? "nearest law " : "",
                     "bytes = ", LawText(*fit.law, out->ascii())));
  }
  const std::string numbers = NumbersText(fit);
  if (!numbers.empty()) out->Indented(numbers);
  for (const Flag& flag : fit.flags) out->Indented(flag.text);
  if (fit.without_outlier.has_value()) {
    out->Indented(
        absl::StrCat("without it: ", GrowthName(fit.without_outlier->growth),
                     ", bytes = ", LawText(*fit.without_outlier, out->ascii())));
  }
  for (const Prediction& p : fit.predictions) {
    out->Indented(absl::StrCat("n = ", Size(p.n), ": ", Bytes(p.value), " [",
                               Bytes(p.low), ", ", Bytes(p.high), "]"));
  }
  if (fit.refused.empty() && !fit.refusal.empty()) out->Indented(fit.refusal);
  std::string said;
  for (const RefusedPrediction& refused : fit.refused) {
    if (refused.reason == said) continue;
    said = refused.reason;
    out->Indented(absl::StrCat("no figure: ", refused.reason));
  }
  if (!budget.has_value()) return;
  if (!fit.budget.has_value()) {
    out->Indented("budget: no answer without a law");
  } else if (fit.budget->n == 0) {
    out->Indented(absl::StrCat("budget ", Bytes(*budget),
                               ": not even the smallest size stays within it"));
  } else {
    out->Indented(absl::StrCat(
        "budget ", Bytes(*budget), ": n <= ", Size(fit.budget->n),
        fit.budget->reached_limit ? ", as far as a prediction goes; more may fit"
                                  : ", by the upper bound"));
  }
}

}  // namespace

std::string VerdictText(const SeriesFit& fit, bool ascii) {
  std::string text(GrowthName(fit.growth));
  if (fit.word == Word::kNotEnoughData) return "not enough data";
  if (fit.growth == Growth::kUndetermined && fit.group.has_value()) {
    absl::StrAppend(&text, " (", GroupName(*fit.group), " or near it, ",
                    WordName(fit.group_word), ")");
  }
  if (!IsGrowthLaw(fit.growth)) return text;
  for (const std::string& modifier : Modifiers(*fit.law, ascii)) {
    absl::StrAppend(&text, modifier.rfind("at ", 0) == 0 ? " " : ", ", modifier);
  }
  return absl::StrCat(text, ": ", WordName(fit.word), " confidence");
}

std::string RenderFitText(const std::vector<NamedFit>& fits,
                          std::optional<double> budget, const FitTextStyle& style) {
  Writer out(style);
  for (const NamedFit& fit : fits) WriteSeries(fit, budget, &out);
  return out.Take();
}

}  // namespace mallogram::fit
