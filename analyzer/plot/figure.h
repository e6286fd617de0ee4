// One figure as a gnuplot script: panels, axes, marks and a legend, placed in
// pixels of the SVG, so that SVG and PNG look alike.
//
// Whatever text comes from outside goes into a data block of the script, every line
// behind a sign of ours, and is named there by its number: gnuplot never reads it
// as a command, and without "enhanced" text has no mark-up.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/plot/axis.h"
#include "analyzer/plot/plots.h"

namespace mallogram::plot {

inline constexpr double kWidth = 624;  // 6.5 inches
inline constexpr absl::string_view kInk = "#222222", kSoftInk = "#555555",
                                   kNoteInk = "#777777", kFaint = "#999999",
                                   kGrid = "#e4e4e4", kLimitInk = "#d1242f";

// How the i-th curve looks: colours of Okabe and Ito, which people with any kind of
// colour vision tell apart, and marks for those who print in black and white.
struct Look {
  absl::string_view color;
  int mark, hollow_mark;
};
Look LookOf(size_t curve);

// gnuplot dash types: of what was not measured, of lines to compare with, of
// limits.
inline constexpr absl::string_view kSolid = "1", kDashed = "(5,3)",
                                   kDotted = "(1,3)", kDashDotted = "(9,3,2,3)";

// What a legend shows before its text.
struct LegendEntry {
  enum class Sign { kMark, kMarkOnLine, kLine, kDashes, kBox, kNone };
  Sign sign = Sign::kMark;
  std::string color;
  int mark = 7;
  std::string text;
  double opacity = 1;  // of a box
  bool note = false;   // explains a sign: after the curves, one beside the other
};

struct Box {  // pixels from the figure's upper left corner
  double left = 0, right = 0, top = 0, bottom = 0;
};

class Figure {
 public:
  using Rows = std::vector<std::vector<double>>;

  // The legend stands under the title; `panels_height` is what is under both.
  Figure(absl::string_view title, const std::vector<LegendEntry>& legend,
         double panels_height);

  // Where the panels begin.
  double top() const { return top_; }
  double height() const { return height_; }

  // A panel: Begin, axes and notes, Add…, End.
  void BeginPanel(const Box& box);
  void XAxis(const Axis& axis, absl::string_view label);
  void YAxis(const Axis& axis, absl::string_view label);
  // A plot element: "with lines lc rgb …" over rows of numbers; none: nothing.
  void Add(const Rows& rows, absl::string_view style);
  void EndPanel();

  // `text` at a place of the panel, 0 to 1 from its lower left corner, moved by
  // pixels; `align`: "left", "right", "center".
  struct Place {
    double x = 0, y = 0, move_right = 0, move_up = 0;
    absl::string_view align = "left";
    bool rotated = false;
  };
  void Note(absl::string_view text, const Place& place, absl::string_view color);

  std::string Script() const;

 private:
  void Command(absl::string_view line);
  std::string Text(absl::string_view text);  // an expression for it
  std::string At(double x, double y) const;  // pixels -> "screen …"
  void Legend(const std::vector<LegendEntry>& entries);
  void Sign(const LegendEntry& entry, double x, double y);
  void Label(absl::string_view text, const std::string& where, double size,
             absl::string_view color, absl::string_view more);
  void Ticks(absl::string_view axis_name, const Axis& axis);

  double top_ = 0, height_ = 0;
  Box panel_;
  size_t blocks_ = 0;
  std::vector<std::string> texts_;
  std::string data_, commands_, plot_;
};

}  // namespace mallogram::plot
