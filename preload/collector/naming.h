// Names of trace files: which file a traced process gets.
//
//   -o given?            the first process          every further process
//   no                   PROG.PID.mgram             PROG.PID.mgram
//   DIR or DIR/          DIR/PROG.PID.mgram         DIR/PROG.PID.mgram
//   FILE                 FILE                       STEM.PROG.PID.mgram beside FILE
//
// PROG is the executable's base name with odd characters replaced. A derived name
// that is taken gets .2, .3 … before the suffix: nothing is ever overwritten,
// except FILE, which PrepareOutput removes beforehand if it is a trace.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"

namespace mallogram {

// "my prog (deleted)" style paths and names to what stands before the PID: letters,
// digits and ._+- stay, everything else becomes '_', at most 64 bytes.
std::string ProgramInFileName(const std::string& path_or_name);

class TraceNames {
 public:
  // `output` as given to -o ("" if not given), `directory` where derived names go
  // without -o.
  TraceNames(const std::string& output, const std::string& directory);

  // The name to try in attempt 1, 2, 3 … for a process. The caller moves on while
  // the file exists.
  std::string Candidate(const std::string& program, pid_t pid, int attempt) const;

  // The first process has its file: FILE is used up.
  void FirstIsNamed() { first_ = false; }

 private:
  std::string directory_;  // with a slash at its end, or empty
  std::string file_;       // FILE, or empty
  std::string stem_;       // "STEM." if file_, else empty
  bool first_ = true;
};

// Makes sure, before anything runs, that a trace can be written as asked: the
// directory exists (DIR/ is made), takes new files and has room; an old FILE is
// removed if it is a trace or empty, and refused if it is anything else. The
// message of an error is one line, ready for the user.
absl::Status PrepareOutput(const std::string& output, const std::string& directory);

}  // namespace mallogram
