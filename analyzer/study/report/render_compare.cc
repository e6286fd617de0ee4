// Comparisons of studies as text and as JSON. No computing.
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/format.h"
#include "analyzer/study/judge/compare.h"
#include "analyzer/study/spec/units.h"

namespace mallogram::study {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownSites = 12;

std::string Signed(double bytes) {
  return absl::StrCat(bytes > 0 ? "+" : "", FormatSignedBytes(bytes));
}
std::string SignedShare(double share) {
  return absl::StrCat(share > 0 ? "+" : "", FormatShare(share));
}

// "-1.20 MB (-24.1 %), exact" or "… [-25.0 %, -23.2 %]".
std::string ChangeText(const Change& change) {
  if (change.difference == 0 && change.exact) return "the same, to the byte";
  std::string text = Signed(change.difference);
  if (change.share.has_value()) {
    absl::StrAppend(&text, " (", SignedShare(*change.share), ")");
  }
  if (change.exact) {
    return absl::StrCat(text, change.single ? ", single runs" : ", exact");
  }
  if (change.single) return absl::StrCat(text, ", no interval: single runs");
  absl::StrAppend(
      &text, ", 95 % ",
      change.share.has_value()
          ? absl::StrCat(SignedShare(*change.share_low), " to ",
                         SignedShare(*change.share_high))
          : absl::StrCat(Signed(change.low), " to ", Signed(change.high)));
  if (change.low < 0 && change.high > 0)
    absl::StrAppend(&text, ": no change shown");
  return text;
}

// "linear" of "linear (high)".
absl::string_view ClassOf(absl::string_view verdict) {
  return verdict.substr(0, verdict.find(" ("));
}

std::string LawText(const LawChange& law, bool utf8) {
  const char* arrow = utf8 ? " → " : " -> ";
  if (law.changed) {
    return absl::StrCat(ClassOf(law.before), arrow, ClassOf(law.after));
  }
  if (law.firm || law.before == law.after) return law.after;
  return absl::StrCat("undetermined whether it changed: ", law.before, arrow,
                      law.after);
}

class TextWriter {
 public:
  explicit TextWriter(bool utf8) : utf8_(utf8) {}

  void Write(const VariantComparison& variant) {
    Line("");
    Line(absl::StrCat(
        variant.title,
        variant.variant.empty() ? "" : absl::StrCat(" (", variant.variant, ")"),
        ": ", variant.value_title));
    for (const SizeChange& size : variant.sizes) {
      Line(absl::StrCat("  n = ", PadLeft(FormatSize(size.n), 10), "  ",
                        PadLeft(FormatSignedBytes(size.value.before), 9),
                        utf8_ ? " → " : " -> ",
                        PadLeft(FormatSignedBytes(size.value.after), 9), "  ",
                        ChangeText(size.value)));
    }
    if (variant.total.has_value() && variant.sizes.size() > 1) {
      Line(absl::StrCat("  in total        ",
                        PadLeft(FormatSignedBytes(variant.total->before), 9),
                        utf8_ ? " → " : " -> ",
                        PadLeft(FormatSignedBytes(variant.total->after), 9), "  ",
                        ChangeText(*variant.total)));
    }
    OnlyOneSide(variant.only_before, "before");
    OnlyOneSide(variant.only_after, "after");
    Line(absl::StrCat("  law: ", LawText(variant.law, utf8_),
                      variant.law.steeper ? "  STEEPER" : ""));
    Sites(variant);
  }

  void Line(absl::string_view text) { absl::StrAppend(&text_, text, "\n"); }
  std::string Take() { return std::move(text_); }

 private:
  void OnlyOneSide(const std::vector<double>& sizes, absl::string_view side) {
    if (sizes.empty()) return;
    std::vector<std::string> texts;
    for (const double n : sizes) texts.push_back(FormatSize(n));
    Line(absl::StrCat("  measured only ", side,
                      ": n = ", absl::StrJoin(texts, ", ")));
  }

  std::string Name(const SiteChange& site) const {
    std::string name = Printable(site.function, utf8_);
    if (!site.file.empty()) {
      absl::StrAppend(&name, " (", site.file, ":", site.line, ")");
    }
    return name;
  }

  void Sites(const VariantComparison& variant) {
    for (const SiteChange& site : variant.sites) {
      if (!site.law.changed) continue;
      Line(absl::StrCat("  site ", Name(site), ": ", LawText(site.law, utf8_),
                        site.law.steeper ? "  STEEPER" : ""));
    }
    Part(variant, "bigger", 1);
    Part(variant, "smaller", -1);
  }

  void Part(const VariantComparison& variant, absl::string_view title, int sign) {
    size_t shown = 0, more = 0;
    double rest = 0;
    for (const SiteChange& site : variant.sites) {
      if (site.largest.difference * sign <= 0) continue;
      if (shown == kShownSites) {
        ++more;
        rest += site.largest.difference;
        continue;
      }
      if (shown++ == 0) Line(absl::StrCat("  ", title, ", at the largest size:"));
      Line(absl::StrCat("    ", Name(site), "  ", ChangeText(site.largest),
                        site.presence == SiteChange::Presence::kAppeared ? ", new"
                        : site.presence == SiteChange::Presence::kVanished
                            ? ", gone"
                            : ""));
      if (site.stack.size() > 1) {
        Line(absl::StrCat("      called by ", Printable(site.stack[1], utf8_)));
      }
    }
    if (more != 0) {
      Line(absl::StrCat("    and ", Plural(more, "call site"),
                        " more: ", Signed(rest)));
    }
  }

  const bool utf8_;
  std::string text_;
};

Json ChangeJson(const Change& change) {
  Json json = {{"before", change.before},
               {"after", change.after},
               {"difference", change.difference},
               {"low", change.low},
               {"high", change.high},
               {"exact", change.exact},
               {"single_runs", change.single}};
  const auto optional = [](const std::optional<double>& value) {
    return value.has_value() ? Json(*value) : Json(nullptr);
  };
  json["share"] = optional(change.share);
  json["share_low"] = optional(change.share_low);
  json["share_high"] = optional(change.share_high);
  return json;
}

Json LawJson(const LawChange& law) {
  return {{"before", law.before},
          {"after", law.after},
          {"firm", law.firm},
          {"changed", law.changed},
          {"steeper", law.steeper}};
}

Json SiteJson(const SiteChange& site) {
  constexpr const char* kPresence[] = {"both", "appeared", "vanished"};
  Json json = {{"function", site.function}};
  if (!site.file.empty()) json["file"] = site.file;
  if (site.line != 0) json["line"] = site.line;
  json["presence"] = kPresence[static_cast<size_t>(site.presence)];
  json["at_largest_size"] = ChangeJson(site.largest);
  json["law"] = LawJson(site.law);
  json["stack"] = site.stack;
  return json;
}

}  // namespace

std::string RenderCompareText(const StudyComparison& comparison, bool utf8,
                              size_t width) {
  TextWriter out(utf8);
  out.Line(absl::StrCat("before: ", comparison.before));
  out.Line(absl::StrCat("after:  ", comparison.after));
  for (const std::string& warning : comparison.warnings) {
    out.Line(absl::StrCat("note: ", warning));
  }
  for (const VariantComparison& variant : comparison.variants) out.Write(variant);
  return WrapLines(out.Take(), width);
}

std::string RenderCompareJson(const StudyComparison& comparison) {
  Json json = {{"before", comparison.before},
               {"after", comparison.after},
               {"warnings", comparison.warnings},
               {"tables", Json::array()}};
  for (const VariantComparison& variant : comparison.variants) {
    Json one = {{"table", variant.table},
                {"variant", variant.variant},
                {"value", variant.value_title},
                {"sizes", Json::array()}};
    for (const SizeChange& size : variant.sizes) {
      Json row = {{"n", size.n}};
      row.update(ChangeJson(size.value));
      one["sizes"].push_back(row);
    }
    one["only_before"] = variant.only_before;
    one["only_after"] = variant.only_after;
    one["total"] =
        variant.total.has_value() ? ChangeJson(*variant.total) : Json(nullptr);
    one["law"] = LawJson(variant.law);
    one["sites"] = Json::array();
    for (const SiteChange& site : variant.sites)
      one["sites"].push_back(SiteJson(site));
    json["tables"].push_back(one);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mallogram::study
