// Bytes and numbers of studies as people read them. SI throughout: kB = 10^3, MB =
// 10^6.
#pragma once

#include <string>

namespace mallogram::study {

std::string FormatSi(double bytes);       // "15.5 MB", "-1.23 kB", "512 B"
std::string FormatNumber(double number);  // "10,000", "0.0784", "1.55e+12"
std::string FormatShare(double share);    // "24.4 %", "0.13 %"
std::string FormatSize(double n);         // an input size: "10,000", "0.95"

}  // namespace mallogram::study
