// Which recordings are which runs: the files and directories of a command line, and
// the input size of each.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "analyzer/scaling/runs_builder.h"

namespace mallogram {

// Where input sizes come from; at most one is set. None: the name of the file, or
// of the directory of a run: what follows "n=" (or another "NAME="), else its only
// number, else the only one that differs between the runs. A process id that
// `record` put there is no size.
struct SizeSource {
  std::string list;     // "1,5,10": in the order of the runs
  std::string pattern;  // extended regular expression whose one group is the size
  // Tab-separated, the first line names the columns: file, n, and rep if it likes.
  // Files are as on the command line, or beside the table. Also says which files.
  std::string table;
};

// A file is a run; a directory among several paths is one run of several processes.
// A single directory stands for what is in it: a run each subdirectory, or each
// recording. Errors are mistakes in the command line (UsageError) or say which file
// is missing.
absl::StatusOr<std::vector<RunFiles>> FindRuns(absl::Span<const std::string> paths,
                                               const SizeSource& source);

// "1000", "0.5", "10k" (10,000), "2M".
absl::StatusOr<double> ParseSize(absl::string_view option, absl::string_view text);

}  // namespace mallogram
