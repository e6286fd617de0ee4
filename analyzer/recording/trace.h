// A trace as the analyses see it: plain data, no file behind it. Filled by
// trace_reader, or by hand in tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/recording/stored_names.h"
#include "preload/trace/leaks.h"
#include "preload/trace/mapped_array.h"
#include "preload/trace/marks.h"
#include "preload/trace/mismatches.h"
#include "preload/trace/pools.h"
#include "preload/trace/records.h"
#include "preload/trace/summary.h"

namespace mallogram {

// How much of the file a family of chunks takes.
struct ChunkStats {
  ChunkType type = ChunkType::kRun;
  uint64_t count = 0, stored_bytes = 0, raw_bytes = 0;
};

enum class IndexState {
  kIntact,   // trailer, index and summary were found and are whole
  kRebuilt,  // index unusable; the summary was found by walking the chunks
  kFolded,   // no summary: the totals were computed again from the events
};

struct Trace {
  std::string path;
  uint64_t file_bytes = 0;
  RunInfo run;
  std::vector<Module> modules;  // rising ids, seldom with holes
  // By id; sparse, because a lost chunk leaves a hole (all zero) and a hostile one
  // may name any id. Parents are smaller than their children, so walks end.
  SparseArray<Stack> stacks;
  uint64_t stack_count = 0;            // nodes present
  std::vector<Thread> threads;         // rising indices
  std::vector<Mark> marks;             // in file order
  std::vector<LeakCheck> leak_checks;  // in file order
  bool has_mismatches = false;         // the recording looked for them
  Mismatches mismatches;
  std::vector<Pool> pools;
  StoredNames names;
  Summary summary;  // its timeline is never empty if samples exist
  // If only some blocks were asked for: the totals over all of them.
  std::optional<Totals> unfiltered;
  IndexState index = IndexState::kIntact;
  bool still_recording = false;    // no footer, but the program is running here
  std::vector<ChunkStats> chunks;  // only if asked for
  // Sentences for the user: what is missing and what that means.
  std::vector<std::string> warnings;

  // The node of a stack id; false for roots and for ids that were lost.
  bool FindStack(uint32_t id, Stack* stack) const {
    if (id < kFirstStackId) return false;
    *stack = stacks.Get(id);
    return stack->module != 0 || stack->offset != 0;
  }
  // nullptr: no module (absolute address), or its record was lost.
  const Module* FindModule(uint32_t id) const {
    const auto at = std::lower_bound(
        modules.begin(), modules.end(), id,
        [](const Module& module, uint32_t wanted) { return module.id < wanted; });
    return at != modules.end() && at->id == id ? &*at : nullptr;
  }
};

}  // namespace mallogram
