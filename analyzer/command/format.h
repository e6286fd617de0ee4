// Numbers, times and bars as text. Pure functions; `utf8` false: ASCII only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace mallogram {

// Of this process: FormatBytes says kB, MB, GB (10^3), not KiB, MiB, GiB.
void SetSi(bool si = true);
bool UsesSi();
std::string FormatBytes(uint64_t bytes);  // "0 B", "12.3 KiB"
std::string FormatCount(uint64_t count);  // "1,234,567"
// "12.3 KiB to 15.0 KiB", "1,234 to 1,300".
std::string FormatByteRange(uint64_t low, uint64_t high);
std::string FormatCountRange(uint64_t low, uint64_t high);
std::string FormatPercent(double share);    // "12.3 %", "<0.1 %", ">99.9 %"
std::string FormatSeconds(double seconds);  // "12.3 ms", "1.24 s", "3 min 20 s"
std::string FormatTime(uint64_t unix_ns);   // local time, with zone

// A number with its noun: "1 call", "2 calls", "2 processes".
std::string Plural(uint64_t count, absl::string_view noun);

// `share` of `width` columns, left-aligned, padded with spaces.
std::string Bar(double share, size_t width, bool utf8);

// One column a value, heights relative to `max`.
std::string Sparkline(const std::vector<uint64_t>& values, uint64_t max, bool utf8);

// Text that is safe on a terminal: no control characters, no invalid UTF-8 (and
// no other than ASCII if not `utf8`); what is not safe becomes "?".
std::string Printable(absl::string_view text, bool utf8);

// Columns that printable text takes; colour codes take none.
size_t DisplayWidth(absl::string_view text);
// Every line at most `width` columns wide: longer ones are broken at spaces (at any
// place, where a word is longer than a line) and go on below their text.
std::string WrapLines(absl::string_view text, size_t width);
std::string PadLeft(absl::string_view text, size_t width);
std::string PadRight(absl::string_view text, size_t width);

inline double Seconds(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

// A command line as one would type it.
std::string JoinCommand(const std::vector<std::string>& argv);

}  // namespace mallogram
