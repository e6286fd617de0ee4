// Everything that reports ask of a recording's modules, as chunks to store in it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analyzer/recording/chunk_directory.h"
#include "analyzer/recording/trace.h"
#include "analyzer/stacks/symbolizer.h"

namespace mallogram {

struct NamesOfTrace {
  std::vector<std::string> payloads;  // of kNames
  size_t addresses = 0;               // of code, in all stacks
  size_t named = 0;                   // of these, stored now
  size_t modules = 0;                 // with names
};

// Names the addresses of all call stacks, the variables that leak checks found
// pointers in, and what __lsan_default_suppressions returns. Modules whose files
// are not here keep the names that the recording has. Where it knows more of an
// address than the files here do, its names stay as well.
NamesOfTrace NamesOf(const Trace& trace, Symbolizer* symbolizer,
                     ProgressFn progress);

}  // namespace mallogram
