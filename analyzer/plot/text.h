// What stands in a plot as text: cleaned, shortened, and how wide it is about.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace mallogram::plot {

// Sizes of letters, in pixels of an SVG (96 an inch).
inline constexpr double kTitleSize = 13, kTextSize = 11, kTickSize = 10,
                        kNoteSize = 9;

// One line of UTF-8 in letters that the font has; others, control characters and
// damaged bytes become "?".
std::string CleanText(absl::string_view text);

// Letters that about fit into `pixels`, at least one.
size_t LettersIn(double pixels, double size);
double TextWidth(absl::string_view text, double size);

// At most `letters`, with "…" for what was cut off at the end.
std::string CutText(absl::string_view text, size_t letters);

// The name of a C++ function in at most `letters`: template arguments go first,
// then parameters, then the middle.
std::string NameInLetters(absl::string_view name, size_t letters);

}  // namespace mallogram::plot
