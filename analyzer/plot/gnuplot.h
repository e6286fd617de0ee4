// Runs gnuplot on a script, once for SVG and PNG.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mallogram::plot {

// Writes STEM.svg and STEM.png, `height` pixels of the SVG high. Works in a new
// directory beside them that is gone afterwards; the files get their names when
// both are there. No shell takes part, and no start-up file of the user.
absl::Status RunGnuplot(const std::string& script, double height,
                        absl::string_view stem);

}  // namespace mallogram::plot
