// The call sites and the call tree of a text report.
#include "absl/strings/str_cat.h"
#include "analyzer/format.h"
#include "analyzer/names.h"
#include "analyzer/render.h"
#include "analyzer/text_writer.h"

namespace mallogram {
namespace {

constexpr size_t kBarWidth = 20;
constexpr size_t kIndent = 6;
constexpr size_t kPlaceWidth = 30;

std::string Value(uint64_t value, Measure by) {
  return by == Measure::kCalls || by == Measure::kTemporary ? FormatCount(value)
                                                            : FormatBytes(value);
}

std::string Average(const SiteTotals& totals) {
  return totals.calls == 0 ? "0 B" : FormatBytes(totals.bytes_allocated / totals.calls);
}

// The figures of a site: those of the measure first.
std::string Figures(const SiteTotals& totals, Measure by) {
  const std::string calls = Plural(totals.calls, "call");
  std::string text;
  switch (by) {
    case Measure::kPeak:
      text = absl::StrCat(FormatBytes(totals.peak_bytes), " in ",
                          Plural(totals.peak_blocks, "block"), "; ", calls, ", ",
                          FormatBytes(totals.bytes_allocated), " in all");
      break;
    case Measure::kLeaked:
      text = absl::StrCat(FormatBytes(totals.live_bytes), " in ",
                          Plural(totals.live_blocks, "block"), "; of ", calls, ", ",
                          FormatBytes(totals.bytes_allocated));
      break;
    case Measure::kBytes:
      text = absl::StrCat(FormatBytes(totals.bytes_allocated), " by ", calls, ", ",
                          Average(totals), " each");
      break;
    case Measure::kCalls:
      text = absl::StrCat(calls, "; ", FormatBytes(totals.bytes_allocated), ", ",
                          Average(totals), " each");
      break;
    case Measure::kTemporary:
      text = absl::StrCat(FormatCount(totals.temporary), " temporary of ", calls, ", ",
                          Average(totals), " each");
      break;
  }
  if (totals.lost != 0) {
    absl::StrAppend(&text, "; ", Plural(totals.lost, "call"), " lost");
  }
  return text;
}

// "function   file.cc:12", the second aligned at `column` if there is room.
std::string FrameText(const TextWriter& out, const FrameView& frame, bool any_line,
                      bool inlined, size_t prefix) {
  const size_t width = out.style().width;
  const size_t column = width - kPlaceWidth;
  const size_t room = column > prefix + 12 ? column - prefix - 2 : 12;
  const std::string function = out.FunctionText(frame, room);
  std::string place = out.PlaceText(frame, any_line);
  if (inlined && !frame.note) absl::StrAppend(&place, place.empty() ? "" : " ", "(inlined)");
  return place.empty() ? function
                       : absl::StrCat(PadRight(function, room), "  ", out.Dim(place));
}

void WriteCallers(const TextInput& input, const TopSite& site, TextWriter* out) {
  for (const CallerLine& line : site.callers) {
    std::string prefix(kIndent + 2, ' ');
    for (int level = 1; level < line.level; ++level) {
      absl::StrAppend(&prefix, out->Glyph("│ ", "| "));
    }
    if (line.branch) {
      absl::StrAppend(&prefix, out->Glyph("├ ", "+ "), PadLeft(FormatPercent(line.share), 7),
                      "  ");
    } else if (line.level > 0) {
      absl::StrAppend(&prefix, out->Glyph("│ ", "| "), std::string(9, ' '));
    }
    if (line.cut != 0) {
      out->Line(out->Dim(absl::StrCat(prefix, "… ", Plural(line.cut, "more caller"))));
      continue;
    }
    out->Line(out->Dim(prefix),
              FrameText(*out, input.frames.frame(line.frame), line.any_line,
                        line.inlined, DisplayWidth(prefix)));
  }
}

}  // namespace

void WriteTopSites(const TextInput& input, const TextOptions& options,
                   TextWriter* out) {
  const TopSites& top = input.top;
  if (top.sites.empty()) {
    out->Heading("Top call sites",
                 absl::StrCat(" by ", MeasureText(options.by), ": none"));
    return;
  }
  out->Heading("Top call sites",
               absl::StrCat(" by ", MeasureText(options.by), ": ",
                            top.sites.size() == top.count
                                ? "all"
                                : absl::StrCat(top.sites.size(), " of ",
                                               FormatCount(top.count)),
                            ", ", FormatPercent(top.shown_share), " of ",
                            Value(top.value, options.by)));
  size_t rank = 0;
  for (const TopSite& site : top.sites) {
    ++rank;
    out->Line();
    out->Line(out->Bold(PadLeft(absl::StrCat(rank), 4)), "  ",
              out->Cyan(Bar(site.share, kBarWidth, out->utf8())), " ",
              out->Bold(PadLeft(FormatPercent(site.share), 7)), "  ",
              Figures(site.totals, options.by));
    const FrameView& frame = input.frames.frame(site.frame.frame);
    out->Line(std::string(kIndent, ' '), out->Bold(FrameText(*out, frame, false, site.frame.inlined, kIndent)),
              frame.file.empty() || frame.module.empty()
                  ? ""
                  : out->Dim(absl::StrCat("  ", out->Safe(Basename(frame.module)))));
    if (site.via != 0) {
      out->Line(std::string(kIndent + 2, ' '),
                out->Dim(absl::StrCat(
                    "through ",
                    out->FunctionText(input.frames.frame(site.via),
                                      out->style().width - kIndent - 12))));
    }
    WriteCallers(input, site, out);
  }
}

void WriteTree(const TextInput& input, const TextOptions& options, TextWriter* out) {
  out->Heading("Call tree", absl::StrCat(" by ", MeasureText(options.by)));
  out->Line();
  // Whether the level's line goes on below the row at hand.
  std::vector<bool> open;
  for (const TreeRow& row : input.tree) {
    const size_t level = static_cast<size_t>(row.level);
    open.resize(level + 1);
    std::string prefix;
    for (size_t i = 1; i < level; ++i) {
      absl::StrAppend(&prefix, open[i] ? out->Glyph("│ ", "| ") : "  ");
    }
    if (level > 0) {
      if (row.chain) {
        absl::StrAppend(&prefix, open[level] ? out->Glyph("│ ", "| ") : "  ");
      } else {
        absl::StrAppend(&prefix, row.last ? out->Glyph("└ ", "` ") : out->Glyph("├ ", "+ "));
      }
    }
    if (!row.chain) open[level] = !row.last;
    constexpr size_t kFigures = 9 + 12 + 14 + 2;
    if (row.cut != 0) {
      out->Line(std::string(kFigures, ' '), out->Dim(prefix),
                out->Dim(absl::StrCat("… ", Plural(row.cut, "smaller branch"))));
      continue;
    }
    const std::string figures =
        row.chain ? std::string(kFigures, ' ')
                  : absl::StrCat(PadLeft(FormatPercent(row.share), 9),
                                 PadLeft(Value(row.value, options.by), 12),
                                 PadLeft(FormatCount(row.calls), 14 - 6), " calls  ");
    if (row.level == 0) {
      out->Line(out->Bold(figures), "all");
      continue;
    }
    out->Line(row.chain ? figures : out->Bold(figures), out->Dim(prefix),
              FrameText(*out, input.frames.frame(row.frame), row.any_line, false,
                        kFigures + DisplayWidth(prefix)));
  }
  if (input.tree.empty()) out->Line("  nothing");
}

}  // namespace mallogram
