// Bytes and numbers of studies as people read them.
#pragma once

#include <string>

namespace mallogram::study {

// In the unit system of FormatBytes: "15.5 MiB", "-1.23 KiB", "512 B", "0.5 B".
std::string FormatSignedBytes(double bytes);
std::string FormatNumber(double number);  // "10,000", "0.0784", "1.55e+12"
std::string FormatShare(double share);    // "24.4 %", "0.13 %"
std::string FormatSize(double n);         // an input size: "10,000", "0.95"

}  // namespace mallogram::study
