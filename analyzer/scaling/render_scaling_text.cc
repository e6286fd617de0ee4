// A Scaling for people: the program's law, then a line for each call site that
// matters.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/format.h"
#include "analyzer/command/text_writer.h"
#include "analyzer/scaling/render_fit.h"
#include "analyzer/scaling/render_scaling.h"
#include "analyzer/stacks/frame_text.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

constexpr size_t kLabelWidth = 20, kFigureWidth = 14, kLawWidth = 22,
                 kIntervalWidth = 24;
constexpr size_t kNameWidth = 60, kCallerWidth = 40;
// A name with less room than this gets a line of its own.
constexpr size_t kLeastName = 40, kSiteIndent = 7, kLeastShown = 16;

uint64_t Rounded(double value) {
  return static_cast<uint64_t>(std::llround(std::clamp(value, 0.0, 9e18)));
}

// 1000000 as "1,000,000", 0.5 as "0.5", 1e12 as "1e+12".
std::string Size(double n) {
  if (n == std::floor(n) && n < 1e12) return FormatCount(Rounded(n));
  return absl::StrFormat("%.6g", n);
}

absl::string_view Label(Metric metric) {
  constexpr absl::string_view kLabels[] = {"live at the peak", "live at the end",
                                           "allocated in all", "allocations",
                                           "resident set"};
  return kLabels[static_cast<size_t>(metric)];
}

class ScalingText {
 public:
  ScalingText(const Scaling& scaling, const std::vector<CallSite>& sites,
              const ScalingTextOptions& options)
      : scaling_(scaling),
        sites_(sites),
        options_(options),
        out_(options.style, options.full_names) {}

  std::string Render() {
    WriteProgram();
    WriteComposition();
    WriteSites();
    WriteWarnings();
    return out_.Take();
  }

 private:
  bool ascii() const { return !out_.utf8(); }
  std::string At(double n) const {
    return absl::StrCat(options_.parameter, " = ", Size(n));
  }
  // A value of a metric; with its sign, because lines may begin below zero.
  std::string Value(Metric metric, double value) const {
    const std::string text = metric == Metric::kCalls
                                 ? FormatCount(Rounded(std::fabs(value)))
                                 : FormatBytes(Rounded(std::fabs(value)));
    return value <= -0.5 ? absl::StrCat("-", text) : text;
  }
  std::string By(double value) const { return Value(scaling_.by, value); }

  std::string WordColored(const fit::SeriesFit& fit, absl::string_view text) const {
    switch (fit.word) {
      case fit::Word::kHigh:
        return out_.Green(text);
      case fit::Word::kLikely:
        return out_.Cyan(text);
      default:
        return out_.Yellow(text);
    }
  }

  const MetricFit& Program(Metric metric) const {
    return scaling_.program[static_cast<size_t>(metric)];
  }

  // What is predicted for the target and the budget, or why not.
  std::vector<std::string> Outlook(Metric metric, const fit::SeriesFit& fit) const {
    std::vector<std::string> parts;
    if (fit.growth == fit::Growth::kZero) return parts;
    for (const fit::Prediction& p : fit.predictions) {
      parts.push_back(absl::StrCat(At(p.n), ": ", Value(metric, p.value), " [",
                                   Value(metric, p.low), ", ",
                                   Value(metric, p.high), "]"));
    }
    std::string said;
    for (const fit::RefusedPrediction& refused : fit.refused) {
      if (refused.reason == said) continue;
      said = refused.reason;
      parts.push_back(absl::StrCat("no figure: ", refused.reason));
    }
    if (fit.refused.empty() && !fit.refusal.empty()) parts.push_back(fit.refusal);
    if (!options_.budget.has_value() || metric == Metric::kCalls) return parts;
    const std::string budget =
        absl::StrCat("budget of ", FormatBytes(Rounded(*options_.budget)));
    if (!fit.budget.has_value()) {
      parts.push_back(absl::StrCat(budget, ": no answer without a law"));
    } else if (fit.budget->n == 0) {
      parts.push_back(
          absl::StrCat(budget, ": not even the smallest size stays within it"));
    } else {
      parts.push_back(absl::StrCat(
          budget, ": ", options_.parameter, " up to ",
          Size(std::floor(fit.budget->n)),
          fit.budget->reached_limit ? ", as far as a prediction goes; more may fit"
                                    : ", by the upper bound"));
    }
    return parts;
  }

  void WriteMetric(Metric metric) {
    const MetricFit& program = Program(metric);
    const fit::SeriesFit& fit = program.fit;
    std::string law = WordColored(fit, fit::VerdictText(fit, ascii()));
    if (fit.growth_at_most.has_value()) {
      absl::StrAppend(&law,
                      absl::StrFormat(", no growth seen (at most %.2g %% over "
                                      "the range)",
                                      *fit.growth_at_most * 100));
    } else if (fit.law.has_value() && fit.growth != fit::Growth::kErratic) {
      absl::StrAppend(
          &law, "; ",
          fit.growth == fit::Growth::kUndetermined ? "nearest law " : "",
          fit::LawText(*fit.law, ascii()),
          metric == Metric::kCalls ? "" : " bytes");
      if (fit.exponent.has_value()) {
        absl::StrAppend(
            &law,
            absl::StrFormat("; exponent %.3g [%.3g, %.3g]", fit.exponent->value,
                            fit.exponent->low, fit.exponent->high));
      }
    }
    if (program.alarm) absl::StrAppend(&law, "  ", out_.Red("ALARM"));
    out_.Line("  ", out_.Bold(PadRight(Label(metric), kLabelWidth)), law);
    const std::string indent(2 + kLabelWidth, ' ');
    for (const std::string& part : Outlook(metric, fit)) out_.Line(indent, part);
    for (const fit::Flag& flag : fit.flags) {
      // Said above, or (single runs) for all of them below.
      if (flag.name == "single run" || flag.name == "no growth seen") continue;
      out_.Line(indent, out_.Dim(flag.text));
    }
  }

  void WriteProgram() {
    const fit::SeriesFit& peak = Program(Metric::kPeak).fit;
    size_t runs = 0;
    for (const fit::SizeStats& size : peak.series.sizes) runs += size.replicates;
    out_.Line(out_.Bold(absl::StrCat("How memory grows with ", options_.parameter)),
              "  (", Plural(scaling_.sizes.size(), "size"), ", ",
              options_.parameter, " = ", Size(scaling_.sizes.front()), " to ",
              Size(scaling_.sizes.back()), ", ", Plural(runs, "run"),
              peak.series.cv.has_value()
                  ? absl::StrFormat(", CV %.2g %%)", *peak.series.cv * 100)
                  : std::string(", one a size: no CV)"));
    for (size_t m = 0; m < kProgramMetrics; ++m)
      WriteMetric(static_cast<Metric>(m));
    // What the kernel holds beside the blocks: code, stacks, free lists, rounding.
    const auto gap = [&](size_t i) {
      const double rss = Program(Metric::kRss).fit.series.sizes[i].median;
      const double heap = peak.series.sizes[i].median;
      return absl::StrCat(Value(Metric::kRss, rss - heap), " at ",
                          At(scaling_.sizes[i]));
    };
    out_.Line("  ", out_.Bold(PadRight("RSS beside the heap", kLabelWidth)), gap(0),
              ", ", gap(scaling_.sizes.size() - 1));
  }

  void WriteComposition() {
    out_.Heading("What it is made of",
                 absl::StrCat("  (", Label(scaling_.by), ")"));
    if (!scaling_.decomposition.has_value()) {
      out_.Line(
          "  nothing to take apart: it takes three sizes, each with some of it");
      return;
    }
    const fit::Decomposition& parts = *scaling_.decomposition;
    std::vector<double> at = {scaling_.sizes.back()};
    if (scaling_.target != at[0]) at.push_back(scaling_.target);
    double constant = parts.constant;
    size_t steep_sites = 0;
    for (const fit::SiteTerm& term : parts.sites) {
      if (term.exponent <= 1) continue;
      constant += term.constant;
      ++steep_sites;
    }
    const auto steep = [&](double n) {
      double sum = 0;
      for (const fit::SiteTerm& term : parts.sites) {
        if (term.exponent > 1) sum += term.factor * std::pow(n, term.exponent);
      }
      return sum;
    };
    const auto remainder = [&](double n) {
      return parts.remainder.constant + parts.remainder.factor * n;
    };
    const auto total = [&](double n) {
      return constant + parts.linear * n + steep(n) + remainder(n);
    };
    std::string head = PadRight("", 2 + kLabelWidth + 14);
    for (const double n : at) absl::StrAppend(&head, "  ", PadLeft(At(n), 20));
    out_.Line(out_.Dim(head));
    const auto row = [&](absl::string_view label, absl::string_view what,
                         auto value) {
      std::string line =
          absl::StrCat("  ", PadRight(label, kLabelWidth), PadRight(what, 14));
      for (const double n : at) {
        absl::StrAppend(
            &line, "  ", PadLeft(By(value(n)), 11),
            PadLeft(absl::StrFormat("%.1f %%", 100 * value(n) / total(n)), 9));
      }
      out_.Line(line);
    };
    row("constant", "", [&](double) { return constant; });
    const std::string per_unit =
        absl::StrCat(absl::StrFormat("%.4g", parts.linear),
                     scaling_.by == Metric::kCalls ? "" : " B", ascii() ? "*" : "·",
                     options_.parameter);
    row("linear", per_unit, [&](double n) { return parts.linear * n; });
    if (steep_sites > 0) row("steeper", Plural(steep_sites, "call site"), steep);
    if (parts.largest_remainder > 0.0005) row("not attributed", "", remainder);
    constexpr absl::string_view kDominant[] = {
        "the constant part", "the linear part", "what is steeper"};
    std::string sentence =
        absl::StrCat("  At ", At(at[0]), " most of it is ",
                     kDominant[static_cast<size_t>(parts.dominant)]);
    if (parts.crossover.has_value()) {
      absl::StrAppend(&sentence, "; what is steeper overtakes the rest at ",
                      options_.parameter, " = ",
                      absl::StrFormat("%.3g", *parts.crossover));
    }
    out_.Line(sentence, ".");
    out_.Line(out_.Dim(absl::StrCat(
        "  The call sites' straight lines add up to this exactly",
        parts.largest_remainder < 5e-5
            ? "."
            : absl::StrFormat("; call sites miss at most %.2g %% of the program.",
                              100 * parts.largest_remainder))));
  }

  std::string LawColumn(const fit::SeriesFit& fit) const {
    std::string text(GrowthName(fit.growth));
    if (fit.word == fit::Word::kNotEnoughData) {
      text = "not enough data";
    } else if (fit.growth == fit::Growth::kUndetermined) {
      text = fit.group.has_value() ? absl::StrCat("near ", GroupName(*fit.group))
                                   : "undetermined";
    } else if (fit.word == fit::Word::kLikely) {
      absl::StrAppend(&text, ", likely");
    }
    return WordColored(fit, PadRight(text, kLawWidth));
  }

  void WriteCallers(const CallSite& site, const std::string& indent) {
    size_t own = 0;
    while (own < site.stack.size() && site.stack[own].plumbing) ++own;
    if (own == site.stack.size()) own = 0;
    std::vector<std::string> callers;
    for (size_t i = own + 1;
         i < site.stack.size() && callers.size() < options_.depth; ++i) {
      if (site.stack[i].plumbing) continue;
      std::string text = FunctionText(out_, site.stack[i], kCallerWidth);
      const std::string place = PlaceText(out_, site.stack[i]);
      if (!place.empty()) absl::StrAppend(&text, " (", place, ")");
      callers.push_back(text);
    }
    if (own > 0) {
      const std::string via = FunctionText(out_, site.stack[own - 1], kCallerWidth);
      callers.insert(callers.begin(), absl::StrCat("by ", via));
    }
    if (callers.empty()) return;
    out_.Line(indent, out_.Dim(absl::StrJoin(callers, out_.Glyph(" ← ", " <- "))));
  }

  void WriteSites() {
    const bool extrapolated = scaling_.target != scaling_.sizes.back();
    double total = 0;
    for (const SiteScaling& site : scaling_.sites) total += site.at_target;
    size_t shown = 0, left_out = 0;
    const size_t count = scaling_.sites.size() + scaling_.small_sites -
                         (scaling_.small_sites > 0 ? 1 : 0);
    out_.Heading("Call sites",
                 absl::StrCat("  (", Label(scaling_.by), ", the largest at ",
                              At(scaling_.target), " first; ", FormatCount(count),
                              " in all)"));
    std::string head =
        absl::StrCat("       ", PadLeft(At(scaling_.sizes.back()), kFigureWidth));
    if (extrapolated) {
      absl::StrAppend(&head, "  ", PadLeft(At(scaling_.target), kFigureWidth), "  ",
                      PadRight("[95 %]", kIntervalWidth));
    }
    absl::StrAppend(&head, PadLeft("share", 8), "  ", PadRight("law", kLawWidth));
    const bool fits = DisplayWidth(head) + kLeastName <= out_.style().width;
    out_.Line(out_.Dim(head), out_.Dim(fits ? " call site" : ""));
    bool any_term = false, any_alarm = false;
    for (size_t i = 0; i < scaling_.sites.size(); ++i) {
      const SiteScaling& site = scaling_.sites[i];
      const MetricFit& metric = site.metrics[static_cast<size_t>(scaling_.by)];
      // Alarms are few, and never too small to be shown.
      if (!metric.alarm && ((options_.top != 0 && shown >= options_.top) ||
                            site.at_target < options_.least_shown * total)) {
        ++left_out;
        continue;
      }
      ++shown;
      any_alarm |= metric.alarm;
      std::string line = absl::StrCat(metric.alarm ? out_.Red("!") : " ",
                                      PadLeft(absl::StrCat(i + 1, "."), 5), " ",
                                      PadLeft(By(site.at_largest), kFigureWidth));
      if (extrapolated) {
        const bool term = site.source == SiteScaling::Source::kTerm;
        any_term |= term;
        std::string interval;
        for (const fit::Prediction& p : metric.fit.predictions) {
          if (p.n == scaling_.target)
            interval = absl::StrCat("[", By(p.low), ", ", By(p.high), "]");
        }
        absl::StrAppend(&line, "  ",
                        PadLeft(absl::StrCat(term ? "~" : "", By(site.at_target)),
                                kFigureWidth),
                        "  ", PadRight(interval, kIntervalWidth));
      }
      absl::StrAppend(
          &line, PadLeft(total > 0 ? FormatPercent(site.at_target / total) : "", 8),
          "  ", LawColumn(metric.fit), " ");
      if (site.site == SiteScaling::kOthers) {
        out_.Line(line, Plural(scaling_.small_sites, "small call site"),
                  " together");
        continue;
      }
      const CallSite& call = sites_[site.site];
      const StackFrame own = {call.function, call.file, call.line};
      const std::string place = PlaceText(out_, own);
      const size_t used = DisplayWidth(line), width = out_.style().width;
      if (!fits) {
        out_.Line(line);
        line = std::string(kSiteIndent, ' ');
      }
      const size_t room = width - (fits ? used : kSiteIndent);
      const size_t beside = place.empty() ? 0 : DisplayWidth(place) + 2;
      out_.Line(line,
                out_.Bold(FunctionText(out_, own,
                                       std::clamp(room > beside ? room - beside : 0,
                                                  kLeastShown, kNameWidth))),
                place.empty() ? "" : "  ", out_.Dim(place));
      if (options_.depth > 0) WriteCallers(call, std::string(12, ' '));
    }
    if (left_out > 0) {
      out_.Line(out_.Dim(
          absl::StrCat("  ", Plural(left_out, "more call site"), ": see --top")));
    }
    if (any_alarm) {
      out_.Line("  ! steeper than linear; one such mark in twenty may be wrong");
    }
    if (any_term) {
      out_.Line(
          "  ~ by a straight line or power alone: the data support no prediction");
    }
  }

  void WriteWarnings() {
    if (scaling_.warnings.empty()) return;
    out_.Line();
    for (const std::string& warning : scaling_.warnings) {
      out_.Line(out_.Yellow("warning: "), out_.Safe(warning));
    }
  }

  const Scaling& scaling_;
  const std::vector<CallSite>& sites_;
  const ScalingTextOptions& options_;
  TextWriter out_;
};

}  // namespace

std::string RenderScalingText(const Scaling& scaling,
                              const std::vector<CallSite>& sites,
                              const ScalingTextOptions& options) {
  return ScalingText(scaling, sites, options).Render();
}

}  // namespace mallogram
