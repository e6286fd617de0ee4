// A Difference for people: totals, then call sites by change, each with its
// callers.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "analyzer/command/format.h"
#include "analyzer/command/text_writer.h"
#include "analyzer/diff/render_diff.h"
#include "analyzer/stacks/frame_text.h"

namespace mallogram {
namespace {

constexpr size_t kLabelWidth = 28, kValueWidth = 13, kNameWidth = 64;

class DiffText {
 public:
  DiffText(const Difference& difference, const DiffTextOptions& options)
      : difference_(difference),
        options_(options),
        out_(options.style, options.full_names) {}

  std::string Render() {
    out_.Line(out_.Bold("before  "), out_.Safe(difference_.before));
    out_.Line(out_.Bold("after   "), out_.Safe(difference_.after));
    if (!difference_.matched_by.empty())
      out_.Line(out_.Dim(absl::StrCat("        ", difference_.matched_by)));
    WriteTotals();
    WriteSites();
    if (!difference_.warnings.empty()) {
      out_.Heading("Warnings");
      for (const std::string& warning : difference_.warnings)
        out_.Line("  ", out_.Yellow(out_.Safe(warning)));
    }
    return out_.Take();
  }

 private:
  const DiffMeasure& By() const { return difference_.measures[options_.by]; }

  static std::string Value(const DiffMeasure& measure, uint64_t value) {
    return measure.bytes ? FormatBytes(value) : FormatCount(value);
  }
  static std::string Signed(const DiffMeasure& measure, const DiffValues& values,
                            size_t by) {
    const int64_t change = values.Change(by);
    if (change == 0) return "0";
    const uint64_t size = change > 0 ? values.after[by] - values.before[by]
                                     : values.before[by] - values.after[by];
    return absl::StrCat(change > 0 ? "+" : "-", Value(measure, size));
  }
  // "+12.3 %", "x 34" above tenfold; empty where there was nothing.
  static std::string Relative(const DiffValues& values, size_t by) {
    const auto before = static_cast<double>(values.before[by]);
    const auto after = static_cast<double>(values.after[by]);
    if (before == 0 || before == after) return "";
    if (after >= 1000 * before)
      return absl::StrCat("x ", FormatCount(static_cast<uint64_t>(after / before)));
    if (after >= 10 * before) return absl::StrFormat("x %.3g", after / before);
    return absl::StrFormat("%+.1f %%", 100 * (after - before) / before);
  }
  // More is worse.
  std::string Colored(int64_t change, absl::string_view text) const {
    if (change == 0) return std::string(text);
    return change > 0 ? out_.Red(text) : out_.Green(text);
  }

  void WriteTotals() {
    out_.Line();
    out_.Line(out_.Dim(absl::StrCat(
        PadRight("", kLabelWidth), PadLeft("before", kValueWidth),
        PadLeft("after", kValueWidth), PadLeft("change", kValueWidth))));
    for (size_t i = 0; i < difference_.measures.size(); ++i) {
      const DiffMeasure& measure = difference_.measures[i];
      const DiffValues& totals = difference_.totals;
      const int64_t change = totals.Change(i);
      const std::string relative = Relative(totals, i);
      out_.Line(PadRight(measure.text, kLabelWidth),
                PadLeft(Value(measure, totals.before[i]), kValueWidth),
                PadLeft(Value(measure, totals.after[i]), kValueWidth),
                Colored(change, PadLeft(Signed(measure, totals, i), kValueWidth)),
                relative.empty() ? "" : "  ", relative);
    }
  }

  std::string Counts() const {
    const DiffCounts counts = CountChanges(difference_, options_.by);
    std::vector<std::string> parts;
    const auto add = [&parts](size_t count, absl::string_view what) {
      if (count != 0) parts.push_back(absl::StrCat(FormatCount(count), " ", what));
    };
    add(counts.appeared, "new");
    add(counts.vanished, "gone");
    add(counts.grew, "larger");
    add(counts.shrank, "smaller");
    add(counts.same, "as before");
    return absl::StrJoin(parts, ", ");
  }

  void WriteSites() {
    const std::vector<size_t> ranked = RankChanges(difference_, options_.by);
    const std::string counts = Counts();
    out_.Heading(absl::StrCat("Call sites by change of ",
                              By().bytes ? "bytes " : "", By().text),
                 counts.empty() ? "" : absl::StrCat("  (", counts, ")"));
    if (ranked.empty()) {
      out_.Line("  none changed");
      return;
    }
    const size_t shown =
        options_.top == 0 ? ranked.size() : std::min(options_.top, ranked.size());
    for (size_t i = 0; i < shown; ++i) WriteSite(difference_.values[ranked[i]]);
    if (shown < ranked.size()) {
      int64_t rest = 0;
      for (size_t i = shown; i < ranked.size(); ++i)
        rest += difference_.values[ranked[i]].values.Change(options_.by);
      DiffValues sum{{rest < 0 ? static_cast<uint64_t>(-rest) : 0},
                     {rest > 0 ? static_cast<uint64_t>(rest) : 0}};
      out_.Line();
      out_.Line(out_.Dim(absl::StrCat(
          "  … ", Plural(ranked.size() - shown, "more call site"),
          " that changed, ", Signed(By(), sum, 0), " in all; --top 0 shows them")));
    }
  }

  void WriteSite(const DiffSite& row) {
    const CallSite& site = difference_.sites[row.site];
    const uint64_t before = row.values.before[options_.by];
    const uint64_t after = row.values.after[options_.by];
    std::string text = absl::StrCat(Value(By(), before), " → ", Value(By(), after));
    const std::string relative = Relative(row.values, options_.by);
    if (before == 0) {
      absl::StrAppend(&text, ", new");
    } else if (after == 0) {
      absl::StrAppend(&text, ", gone");
    } else if (!relative.empty()) {
      absl::StrAppend(&text, ", ", relative);
    }
    for (size_t i = 0; i < difference_.site_measures; ++i) {
      const DiffMeasure& measure = difference_.measures[i];
      if (i == options_.by || measure.bytes) continue;
      absl::StrAppend(&text, "; ", measure.text, " ",
                      FormatCount(row.values.before[i]), " → ",
                      FormatCount(row.values.after[i]));
    }
    if (!out_.utf8()) text = Ascii(text);
    out_.Line();
    out_.Line("  ",
              Colored(row.values.Change(options_.by),
                      PadLeft(Signed(By(), row.values, options_.by), kValueWidth)),
              "  ", text);
    WriteStack(site);
  }

  static std::string Ascii(const std::string& text) {
    return absl::StrReplaceAll(text, {{"→", "->"}});
  }

  // From the innermost function that is not plumbing outwards.
  void WriteStack(const CallSite& site) {
    size_t first = 0;
    while (first < site.stack.size() && site.stack[first].plumbing) ++first;
    if (first == site.stack.size()) first = 0;
    const size_t frames = site.stack.size() - first;
    const size_t shown =
        options_.depth == 0 ? frames : std::min(options_.depth, frames);
    for (size_t i = 0; i < shown; ++i) {
      const StackFrame& frame = site.stack[first + i];
      const std::string name = FunctionText(out_, frame, kNameWidth);
      const size_t columns = DisplayWidth(name);
      const std::string place = PlaceText(out_, frame);
      const std::string gap(columns < kNameWidth ? kNameWidth - columns : 0, ' ');
      out_.Line("      ", i == 0 ? "" : "  ", i == 0 ? out_.Bold(name) : name,
                place.empty() ? "" : gap, place.empty() ? "" : "  ",
                out_.Dim(place));
    }
    if (shown < frames)
      out_.Line(out_.Dim(
          absl::StrCat("        … ", Plural(frames - shown, "more caller"))));
  }

  const Difference& difference_;
  const DiffTextOptions& options_;
  TextWriter out_;
};

}  // namespace

std::string RenderDiffText(const Difference& difference,
                           const DiffTextOptions& options) {
  return DiffText(difference, options).Render();
}

}  // namespace mallogram
