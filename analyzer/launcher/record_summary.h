// The ten lines that end a recording. Pure functions of what the collector said.
#pragma once

#include <cstdint>
#include <string>

#include "preload/collector/control.h"

namespace mallogram {

struct SummaryContext {
  std::string program;      // as it was typed
  int wait_status = 0;      // of the program
  uint64_t file_bytes = 0;  // of the main trace
  bool color = false;
};

// REQUIRES: report.main.path is not empty. Ends with a newline.
std::string FormatRecordSummary(const RecordingReport& report,
                                const SummaryContext& context);

// "exited with 3", "was killed by SIGSEGV"
std::string DescribeEnd(int wait_status);

}  // namespace mallogram
