// Trace files made by hand, for tests of the reader and of the command. Chunks go
// in as they are; the builder frames them and keeps the index.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preload/trace/event_codec.h"
#include "preload/trace/heap_model.h"
#include "preload/trace/records.h"
#include "preload/trace/summary.h"

namespace mallogram {

class TraceFileBuilder {
 public:
  TraceFileBuilder();
  void Add(ChunkType type, const std::string& payload);
  // Moves what was given to `encoder` since the last call into a chunk.
  void AddEvents(EventEncoder* encoder);
  // The file so far, as a killed collector leaves it.
  const std::string& bytes() const { return bytes_; }
  // With summary, index and trailer.
  std::string Finish(const Summary& summary);

 private:
  std::string bytes_;
  uint32_t sequence_ = 0;
  std::vector<IndexEntry> index_;
};

// A recording of a process with known truth: every chunk type, several event
// chunks, threads, moves, losses, recursion.
struct MadeTrace {
  std::string whole;                    // with footer
  std::string unfinished;               // without
  Summary summary;                      // the truth
  std::vector<uint64_t> chunk_offsets;  // of every chunk in `whole`
  std::vector<uint64_t> events_after;   // allocations once chunk i was read
};
// `events`: how many; `chunks`: in how many chunks.
MadeTrace MakeTrace(uint32_t events, uint32_t chunks,
                    const std::string& module_path, int64_t pid = 4711);

}  // namespace mallogram
