// Bytes and numbers in studies: read from study files and written for people. SI
// throughout: kB = 10^3, MB = 10^6; KiB, MiB are understood where somebody writes
// them.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace mallogram::study {

// "100MB", "1.55 kB", "64MiB", "1048576".
std::optional<double> ParseBytes(absl::string_view text);

std::string FormatSi(double bytes);       // "15.5 MB", "-1.23 kB", "512 B"
std::string FormatNumber(double number);  // "10,000", "0.0784", "1.55e+12"
std::string FormatShare(double share);    // "24.4 %", "0.13 %"
std::string FormatSize(double n);         // an input size: "10,000", "0.95"

}  // namespace mallogram::study
