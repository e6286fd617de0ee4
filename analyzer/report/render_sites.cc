// The call sites and the call tree of a text report.
#include "analyzer/report/render_sites.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/format.h"
#include "analyzer/command/text_writer.h"
#include "analyzer/recording/estimate.h"
#include "analyzer/report/render.h"
#include "analyzer/stacks/frame_text.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

constexpr size_t kIndent = 6;
constexpr size_t kPlaceWidth = 30;
constexpr size_t kLeastName = 24;

std::string Average(const SiteTotals& totals) {
  return totals.calls == 0 ? "0 B"
                           : FormatBytes(totals.bytes_allocated / totals.calls);
}

// Of a sampled recording: what the measure's figure lies between, " (1 to 2)".
std::string Range(const SiteEstimate& estimate, uint64_t sample_interval,
                  Measure by) {
  if (sample_interval == 0 || by == Measure::kTemporary) return "";
  if (by == Measure::kCalls) {
    const Interval calls =
        BlocksInterval(estimate.allocated, estimate.smallest, sample_interval);
    return absl::StrCat(" (", FormatCountRange(calls.low, calls.high), ")");
  }
  const Interval bytes = BytesInterval(by == Measure::kPeak   ? estimate.peak
                                       : by == Measure::kLive ? estimate.live
                                                              : estimate.allocated,
                                       sample_interval);
  return absl::StrCat(" (", FormatByteRange(bytes.low, bytes.high), ")");
}

// The figures of a site: those of the measure first.
std::string Figures(const TopSite& site, uint64_t sample_interval, Measure by) {
  const SiteTotals& totals = site.totals;
  const std::string calls = Plural(totals.calls, "call");
  const std::string range = Range(site.estimate, sample_interval, by);
  std::string text;
  switch (by) {
    case Measure::kPeak:
      text = absl::StrCat(FormatBytes(totals.peak_bytes), range, " in ",
                          Plural(totals.peak_blocks, "block"), "; ", calls, ", ",
                          FormatBytes(totals.bytes_allocated), " in all");
      break;
    case Measure::kLive:
      text = absl::StrCat(FormatBytes(totals.live_bytes), range, " in ",
                          Plural(totals.live_blocks, "block"), "; of ", calls, ", ",
                          FormatBytes(totals.bytes_allocated));
      break;
    case Measure::kAllocated:
      text = absl::StrCat(FormatBytes(totals.bytes_allocated), range, " by ", calls,
                          ", ", Average(totals), " each");
      break;
    case Measure::kCalls:
      text = absl::StrCat(calls, range, "; ", FormatBytes(totals.bytes_allocated),
                          ", ", Average(totals), " each");
      break;
    case Measure::kTemporary:
      text = absl::StrCat(FormatCount(totals.temporary), " temporary of ", calls,
                          ", ", Average(totals), " each");
      break;
  }
  if (sample_interval != 0) {
    absl::StrAppend(&text, "; ", FormatCount(site.estimate.allocated.samples),
                    " sampled");
  }
  if (totals.lost != 0) {
    absl::StrAppend(&text, "; ", Plural(totals.lost, "call"), " lost");
  }
  return text;
}

struct FrameLook {
  bool any_line = false, inlined = false, recursive = false;
  bool aligned = true;  // places below each other
  bool bold = false;
};

// "function   file.cc:12 (inlined)"; `prefix` columns are taken already.
std::string FrameText(const TextWriter& out, const CodeFrame& frame, size_t prefix,
                      const FrameLook& look) {
  const size_t column = out.style().width - kPlaceWidth;
  const size_t room = std::max(column, prefix + kLeastName + 2) - prefix - 2;
  std::string function = FunctionText(out, frame, room);
  std::vector<std::string> place = {PlaceText(out, frame, look.any_line)};
  if (place[0].empty()) place.clear();
  if (look.inlined && !frame.note) place.push_back("(inlined)");
  if (look.recursive) place.push_back("(recursive)");
  const size_t columns = DisplayWidth(function);
  if (look.bold) function = out.Bold(function);
  const std::string text = absl::StrJoin(place, " ");
  // A tree shows no place where there is no room left for it.
  const bool fits = prefix + columns + 2 + DisplayWidth(text) <= out.style().width;
  if (place.empty() || (!look.aligned && !fits)) return function;
  return absl::StrCat(
      function,
      std::string(look.aligned && columns < room ? room - columns : 0, ' '), "  ",
      out.Dim(text));
}

void WriteCallers(const TextInput& input, const TopSite& site, TextWriter* out) {
  for (const CallerLine& line : site.callers) {
    std::string prefix(kIndent + 2, ' ');
    for (int level = 1; level < line.level; ++level) {
      absl::StrAppend(&prefix, out->Glyph("│ ", "| "));
    }
    if (line.branch) {
      absl::StrAppend(&prefix, out->Glyph("├ ", "+ "),
                      PadLeft(FormatPercent(line.share), 7), "  ");
    } else if (line.level > 0) {
      absl::StrAppend(&prefix, out->Glyph("│ ", "| "), std::string(9, ' '));
    }
    if (line.cut != 0) {
      out->Line(
          out->Dim(absl::StrCat(prefix, "… ", Plural(line.cut, "more caller"))));
      continue;
    }
    out->Line(out->Dim(prefix),
              FrameText(*out, input.book.frame(line.frame), DisplayWidth(prefix),
                        {line.any_line, line.inlined, line.recursive}));
  }
}

// Of glyphs that take one column each.
std::string LastColumns(absl::string_view text, size_t columns) {
  size_t start = text.size();
  for (; start > 0 && columns > 0; --columns) {
    do {
      --start;
    } while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80);
  }
  return std::string(text.substr(start));
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
  out->Heading(
      "Top call sites",
      absl::StrCat(
          " by ", MeasureText(options.by), ": ",
          top.sites.size() == top.count
              ? "all"
              : absl::StrCat(top.sites.size(), " of ", FormatCount(top.count)),
          ", ", FormatPercent(top.shown_share), " of ",
          MeasureValue(top.value, options.by),
          top.cut ? "; the others have less than 0.1 % each" : ""));
  size_t rank = 0;
  for (const TopSite& site : top.sites) {
    ++rank;
    out->Line();
    out->Line(out->Bold(PadLeft(absl::StrCat(rank), 4)), "  ",
              out->Cyan(Bar(site.share, BarWidth(out->style()), out->utf8())), " ",
              out->Bold(PadLeft(FormatPercent(site.share), 7)), "  ",
              Figures(site, input.report.sampling.interval, options.by));
    const CodeFrame& frame = input.book.frame(site.frame.frame);
    FrameLook look{false, site.frame.inlined, site.recursive};
    look.bold = true;
    out->Line(
        std::string(kIndent, ' '), FrameText(*out, frame, kIndent, look),
        frame.file.empty() || frame.module.empty()
            ? ""
            : out->Dim(absl::StrCat(" in ", out->Safe(Basename(frame.module)))));
    if (site.via != 0) {
      out->Line(std::string(kIndent + 2, ' '),
                out->Dim(absl::StrCat(
                    "through ", FunctionText(*out, input.book.frame(site.via),
                                             out->style().width - kIndent - 12))));
    }
    WriteCallers(input, site, out);
  }
}

void WriteTree(const TextInput& input, const TextOptions& options,
               TextWriter* out) {
  constexpr size_t kShareWidth = 9, kValueWidth = 11;
  const size_t calls_width = out->style().width < kNarrowWidth ? 0 : 14;
  const size_t all_figures = kShareWidth + kValueWidth + calls_width + 2;
  // Names need room; of deep branches only the inner levels are drawn.
  const size_t most_prefix = out->style().width < all_figures + kLeastName + 12
                                 ? 10
                                 : out->style().width - all_figures - kLeastName;
  out->Heading("Call tree", absl::StrCat(" by ", MeasureText(options.by)));
  out->Line(out->Dim(absl::StrCat(
      PadLeft("share", kShareWidth),
      PadLeft(options.by == Measure::kTemporary ? "temporary" : "value",
              kValueWidth),
      calls_width == 0 ? "" : PadLeft("calls", calls_width))));
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
        absl::StrAppend(&prefix,
                        row.last ? out->Glyph("└ ", "` ") : out->Glyph("├ ", "+ "));
      }
    }
    if (!row.chain) open[level] = !row.last;
    if (const size_t columns = DisplayWidth(prefix); columns > most_prefix)
      prefix = absl::StrCat("… ", LastColumns(prefix, most_prefix - 2));
    if (row.cut != 0) {
      out->Line(out->Dim(absl::StrCat(
          PadLeft(FormatPercent(row.share), kShareWidth),
          std::string(all_figures - kShareWidth, ' '), prefix, "… ",
          Plural(row.cut, row.deeper ? "deeper branch" : "smaller branch"))));
      continue;
    }
    const std::string figures =
        row.chain
            ? std::string(all_figures, ' ')
            : absl::StrCat(
                  PadLeft(FormatPercent(row.share), kShareWidth),
                  PadLeft(MeasureValue(row.value, options.by), kValueWidth),
                  calls_width == 0 ? ""
                                   : PadLeft(FormatCount(row.calls), calls_width),
                  "  ");
    if (row.level == 0) {
      out->Line(out->Bold(figures), "all");
      continue;
    }
    FrameLook look{row.any_line, false, row.recursive};
    look.aligned = false;
    out->Line(row.chain ? figures : out->Bold(figures), out->Dim(prefix),
              FrameText(*out, input.book.frame(row.frame),
                        all_figures + DisplayWidth(prefix), look));
  }
  if (input.tree.empty()) out->Line("  nothing");
}

}  // namespace mallogram
