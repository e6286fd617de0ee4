// Where a report goes, and the options that all verbs with a report have.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/options.h"
#include "analyzer/command/terminal.h"

namespace mallogram {

// -o, --output FILE. Refused before any work: a name that would make the report
// look like a recording, a directory (`hint` ends these messages), and what cannot
// be written.
Option OutputRow(std::string* path, absl::string_view hint = "");

// --color WHEN, for this process; with -q, --quiet: TerminalRows.
Option ColorRow();
std::vector<Option> TerminalRows();

// Standard output, or a file.
class ReportFile {
 public:
  // "": standard output. Nothing is opened before the first Write.
  explicit ReportFile(const std::string& path) : path_(path) {}
  ~ReportFile();
  ReportFile(const ReportFile&) = delete;
  ReportFile& operator=(const ReportFile&) = delete;

  // A file has colours only if --color asks for them.
  Style style() const;
  void Write(absl::string_view text);
  absl::Status Close();  // whether all was written

 private:
  const std::string path_;
  FILE* file_ = nullptr;
  int error_ = 0;
};

// All of a report.
absl::Status WriteReport(const std::string& path, absl::string_view text);
// To standard output.
absl::Status PrintOut(absl::string_view text);

}  // namespace mallogram
