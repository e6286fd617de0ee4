// A program recorded for a leak check, as by `mallogram record`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "analyzer/command/options.h"

namespace mallogram {

// A directory of our own that is removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() = default;
  ~TemporaryDirectory() { Remove(); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  absl::Status Make();  // in TMPDIR, else /tmp
  void Remove();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Runs `mallogram record` (this very executable) with the program, into `output` as
// its -o. Returns the exit status as a shell tells it: 128 + signal. Signals that
// end programs are passed on; this process survives them until the program has
// ended, and goes on.
absl::StatusOr<int> RecordProgram(Arguments program, const std::string& output,
                                  const std::string& leak_check);

}  // namespace mallogram
