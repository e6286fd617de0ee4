// Ranges and tick marks of axes. gnuplot's own ticks know neither kB nor 10,000.
#pragma once

#include <string>
#include <vector>

#include "analyzer/plot/plots.h"

namespace mallogram::plot {

struct Tick {
  double at = 0;
  std::string label;  // empty: a small mark
};

struct Axis {
  bool log = false;
  double low = 0, high = 1;
  std::vector<Tick> ticks;

  // Where a value is between low and high, from 0 to 1; below and above: beyond.
  double Place(double value) const;
  double Clamp(double value) const;
  // What is drawn for a value: a log axis has its lower edge for 0.
  double Show(double value) const { return log && value <= 0 ? low : value; }
};

// "0 B", "12.5 kB", "10,000", "2.5 M": three digits, or as many as tell values
// apart that are `step` from each other.
std::string NumberText(double value, Unit unit, double step = 0);
std::string PercentText(double percent, double step = 0);
// A measured size, exactly: "31,600".
std::string SizeText(double n, Unit unit);

// An axis over all positive values that are numbers, with a margin of both ends; at
// least `least_factor` from end to end.
Axis LogAxis(const std::vector<double>& values, Unit unit, double least_factor);
// An axis over all values that are numbers, with a margin; `from_zero`: over 0 too.
Axis LinearAxis(const std::vector<double>& values, Unit unit, bool from_zero);
// The same in per cent, from 0.
Axis PercentAxis(const std::vector<double>& percents);
// Log if the positive values span more than a decade and none is negative; else
// linear.
Axis ValueAxis(const std::vector<double>& values, Unit unit);
// Slots 0, 1, 2 … for the sizes, labelled as far as `width` pixels have room.
Axis SlotAxis(const std::vector<double>& sizes, Unit unit, double width);

}  // namespace mallogram::plot
