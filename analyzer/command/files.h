// Files: their text, recordings in directories, and what a sweep's directory holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram {

inline constexpr char kManifestFile[] = "sweep.json";
inline constexpr char kRunFile[] = "run.json";
inline constexpr char kStdoutFile[] = "stdout";
inline constexpr char kStderrFile[] = "stderr";
// The recording of the program itself; its children's are program.NAME.PID.mgram.
inline constexpr char kProgramRecording[] = "program.mgram";

// Recordings in a directory, by name; empty as well if it cannot be listed.
std::vector<std::string> ListTraces(const std::string& directory);

// Directories stand for the recordings in them. Errors: a directory that cannot be
// listed or that has none.
absl::StatusOr<std::vector<std::string>> FindTraces(
    const std::vector<std::string>& paths);
absl::Status NoTraceIn(absl::string_view directory);

// "cannot DO PATH: No space left on device", by errno.
absl::Status FileError(absl::string_view action, absl::string_view path);

// "-" is standard input.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);
absl::Status WriteTextFile(const std::string& path, absl::string_view text);

// To a temporary that is renamed: the old content or the new one, also if this
// process or the machine dies.
absl::Status WriteAtomically(const std::string& path, absl::string_view text);

// Paths of the recordings in a run's directory, that of the program itself first.
std::vector<std::string> FindRecordings(const std::string& run_directory);

// The last line that is not blank, fit for a terminal; of lines that overwrite each
// other (\r) the last; at most 200 characters. Empty: none, or no such file.
std::string LastLine(const std::string& path);

// A file by which a run may be determined: its program, and arguments that name
// files.
struct InputFile {
  std::string path;
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // since 1970
  bool operator==(const InputFile& other) const {
    return path == other.path && bytes == other.bytes &&
           modified_ns == other.modified_ns;
  }
};

// What the file is now; false: there is no regular file of that name.
bool LookAt(const std::string& path, InputFile* file);

// The regular files that a command line names, the program (also by PATH) first;
// `input`: its standard input, empty: none. Those under `except` are left out.
std::vector<InputFile> NamedFiles(const std::vector<std::string>& command,
                                  const std::string& input,
                                  const std::string& working_directory,
                                  const std::string& except);

}  // namespace mallogram
