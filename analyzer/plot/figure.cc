#include "analyzer/plot/figure.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/plot/text.h"

namespace mallogram::plot {
namespace {

constexpr double kTitleHeight = 30, kLegendRow = 16, kLegendLeft = 14,
                 kSignWidth = 24, kSignGap = 6;
constexpr size_t kMostColumns = 4;
constexpr size_t kLongestText = 160;  // letters

constexpr Look kLooks[] = {
    {"#0072b2", 7, 6},    // blue, circle
    {"#d55e00", 5, 4},    // vermilion, square
    {"#009e73", 9, 8},    // green, triangle
    {"#cc79a7", 13, 12},  // purple, diamond
    {"#e69f00", 11, 10},  // orange, triangle on its tip
    {"#56b4e9", 15, 14},  // sky, pentagon
    {"#000000", 7, 6},    // black, circle
};

std::string Number(double value) { return absl::StrFormat("%.10g", value); }

std::string Font(double size) { return absl::StrFormat("font ',%g'", size); }

double EntryWidth(const LegendEntry& entry) {
  const bool sign = entry.sign != LegendEntry::Sign::kNone;
  return (sign ? kSignWidth + kSignGap : 0) + TextWidth(entry.text, kTickSize);
}

// Where entries stand, pixels from the upper left corner to the row's middle, and
// the end of the last row: curves in columns, then notes in rows of their own.
struct LegendPlaces {
  std::vector<std::pair<double, double>> entries;
  double bottom = kTitleHeight;
};

LegendPlaces PlaceLegend(const std::vector<LegendEntry>& entries) {
  constexpr double kGap = 20;
  const double room = kWidth - 2 * kLegendLeft;
  LegendPlaces places;
  double widest = 1;
  size_t curves = 0;
  for (; curves < entries.size() && !entries[curves].note; ++curves) {
    widest = std::max(widest, EntryWidth(entries[curves]));
  }
  const size_t columns = std::clamp<size_t>(
      static_cast<size_t>((room + kGap) / (widest + kGap)), 1, kMostColumns);
  const size_t rows = (curves + columns - 1) / columns;
  for (size_t i = 0; i < curves; ++i) {
    places.entries.push_back(
        {kLegendLeft + (widest + kGap) * static_cast<double>(i / rows),
         kTitleHeight + kLegendRow * (static_cast<double>(i % rows) + 0.5)});
  }
  places.bottom += kLegendRow * static_cast<double>(rows);
  double x = kLegendLeft;
  for (size_t i = curves; i < entries.size(); ++i) {
    const double width = EntryWidth(entries[i]);
    if (i > curves && x + width > kWidth - kLegendLeft) x = kLegendLeft;
    if (x == kLegendLeft) places.bottom += kLegendRow;
    places.entries.push_back({x, places.bottom - kLegendRow / 2});
    x += width + kGap;
  }
  return places;
}

}  // namespace

Look LookOf(size_t curve) { return kLooks[curve % std::size(kLooks)]; }

Figure::Figure(absl::string_view title, const std::vector<LegendEntry>& legend,
               double panels_height) {
  top_ = PlaceLegend(legend).bottom + 8;
  height_ = std::ceil(top_ + panels_height);
  Command("set multiplot");
  Label(CutText(CleanText(title), LettersIn(kWidth - 2 * kLegendLeft, kTitleSize)),
        At(kLegendLeft, 18), kTitleSize, kInk, "left front");
  Legend(legend);
}

void Figure::Legend(const std::vector<LegendEntry>& entries) {
  const LegendPlaces places = PlaceLegend(entries);
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto [x, y] = places.entries[i];
    Sign(entries[i], x, y);
    const bool sign = entries[i].sign != LegendEntry::Sign::kNone;
    const double text_x = x + (sign ? kSignWidth + kSignGap : 0);
    Label(CutText(CleanText(entries[i].text),
                  LettersIn(kWidth - kLegendLeft - text_x, kTickSize)),
          At(text_x, y), kTickSize, entries[i].note ? kSoftInk : kInk,
          "left front");
  }
}

void Figure::Sign(const LegendEntry& entry, double x, double y) {
  using Sign = LegendEntry::Sign;
  const double middle = x + kSignWidth / 2;
  const bool line = entry.sign == Sign::kMarkOnLine || entry.sign == Sign::kLine ||
                    entry.sign == Sign::kDashes;
  if (line) {
    Command(absl::StrFormat(
        "set arrow from %s to %s nohead linewidth 1.6 dashtype %s "
        "linecolor rgb '%s' "
        "front",
        At(x, y), At(x + kSignWidth, y),
        entry.sign == Sign::kDashes ? kDashed : kSolid, entry.color));
  }
  if (entry.sign == Sign::kBox) {
    Command(absl::StrFormat(
        "set object rectangle from %s to %s fillcolor rgb '%s' "
        "fillstyle transparent solid %g noborder front",
        At(x, y + 5), At(x + kSignWidth, y - 5), entry.color, entry.opacity));
  }
  if (entry.sign == Sign::kMark || entry.sign == Sign::kMarkOnLine) {
    Command(
        absl::StrFormat("set label '' at %s point pointtype %d pointsize 0.75 "
                        "linecolor rgb '%s' front",
                        At(middle, y), entry.mark, entry.color));
  }
}

void Figure::BeginPanel(const Box& box) {
  panel_ = box;
  Command(absl::StrFormat("set lmargin at screen %s", Number(box.left / kWidth)));
  Command(absl::StrFormat("set rmargin at screen %s", Number(box.right / kWidth)));
  Command(
      absl::StrFormat("set tmargin at screen %s", Number(1 - box.top / height_)));
  Command(absl::StrFormat("set bmargin at screen %s",
                          Number(1 - box.bottom / height_)));
  plot_.clear();
}

void Figure::XAxis(const Axis& axis, absl::string_view label) {
  Ticks("x", axis);
  Label(CutText(CleanText(label), LettersIn(panel_.right - panel_.left, kTextSize)),
        At((panel_.left + panel_.right) / 2, panel_.bottom + 37), kTextSize, kInk,
        "center");
}

void Figure::YAxis(const Axis& axis, absl::string_view label) {
  Ticks("y", axis);
  const size_t room = LettersIn(panel_.bottom - panel_.top + 24, kTextSize);
  Label(CutText(CleanText(label), room),
        At(panel_.left - 62, (panel_.top + panel_.bottom) / 2), kTextSize, kInk,
        "center rotate by 90");
}

void Figure::Ticks(absl::string_view name, const Axis& axis) {
  Command(absl::StrCat(axis.log ? "set" : "unset", " logscale ", name));
  Command(absl::StrFormat("set %srange [%s:%s]", name, Number(axis.low),
                          Number(axis.high)));
  std::string line = absl::StrFormat("set %stics nomirror out scale 0.6,0.35 %s (",
                                     name, Font(kTickSize));
  for (size_t i = 0; i < axis.ticks.size(); ++i) {
    std::string label = axis.ticks[i].label;
    // gnuplot reads labels as a format.
    for (size_t at = 0; (at = label.find('%', at)) != std::string::npos; at += 2) {
      label.insert(at, "%");
    }
    absl::StrAppend(&line, i == 0 ? "" : ", ", "'", label, "' ",
                    Number(axis.ticks[i].at), label.empty() ? " 1" : " 0");
  }
  Command(absl::StrCat(line, ")"));
}

void Figure::Add(const Rows& rows, absl::string_view style) {
  if (rows.empty()) return;
  const std::string block = absl::StrCat("$data", ++blocks_);
  absl::StrAppend(&data_, block, " << END_OF_DATA\n");
  for (const std::vector<double>& row : rows) {
    std::string line;
    for (double value : row) {
      absl::StrAppend(&line, line.empty() ? "" : " ", Number(value));
    }
    absl::StrAppend(&data_, line, "\n");
  }
  absl::StrAppend(&data_, "END_OF_DATA\n");
  absl::StrAppend(&plot_, plot_.empty() ? "plot " : ", \\\n  ", block, " ", style,
                  " notitle");
}

void Figure::EndPanel() {
  // A panel without a number in it still has axes.
  if (plot_.empty()) plot_ = "plot NaN notitle";
  Command(plot_);
  for (absl::string_view what : {"label", "arrow", "object"}) {
    Command(absl::StrCat("unset ", what));
  }
}

void Figure::Note(absl::string_view text, const Place& place,
                  absl::string_view color) {
  const double x = panel_.left + place.x * (panel_.right - panel_.left);
  const double y = panel_.bottom - place.y * (panel_.bottom - panel_.top);
  Label(CleanText(text), At(x + place.move_right, y - place.move_up), kNoteSize,
        color,
        absl::StrCat(place.align, place.rotated ? " rotate by 90" : "", " front"));
}

void Figure::Label(absl::string_view text, const std::string& where, double size,
                   absl::string_view color, absl::string_view more) {
  Command(absl::StrFormat("set label %s at %s %s %s textcolor rgb '%s'", Text(text),
                          where, more, Font(size), color));
}

std::string Figure::Text(absl::string_view text) {
  // The sign in front keeps every line from being the block's end.
  texts_.push_back(absl::StrCat("|", CutText(text, kLongestText)));
  return absl::StrFormat("$texts[%d][2:*]", texts_.size());
}

std::string Figure::At(double x, double y) const {
  return absl::StrFormat("screen %s, screen %s", Number(x / kWidth),
                         Number(1 - y / height_));
}

void Figure::Command(absl::string_view line) {
  absl::StrAppend(&commands_, line, "\n");
}

std::string Figure::Script() const {
  std::string script = "set encoding utf8\n$texts << END_OF_TEXTS\n";
  for (const std::string& text : texts_) absl::StrAppend(&script, text, "\n");
  absl::StrAppend(&script, "END_OF_TEXTS\n", data_, "unset key\nunset title\n",
                  "set border 3 linecolor rgb '", kFaint, "' linewidth 1\n",
                  "set tics textcolor rgb '", kInk, "'\n",
                  "set grid xtics ytics back linetype 1 linecolor rgb '", kGrid,
                  "' linewidth 0.8\nset clip two\n", commands_,
                  "unset multiplot\n");
  return script;
}

}  // namespace mallogram::plot
