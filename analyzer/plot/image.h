// What gnuplot leaves out of its files. Pure functions on the files' bytes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram::plot {

// A PNG that says how many pixels make an inch (chunk pHYs, after IHDR).
absl::StatusOr<std::string> WithResolution(absl::string_view png,
                                           uint32_t dots_per_inch);

// An SVG without blanks at the ends of lines, and with fonts for machines that lack
// the one that was asked for.
std::string TidySvg(absl::string_view svg);

}  // namespace mallogram::plot
