// The small chunk families: run facts, modules, stack nodes, threads, samples
// and the index, as plain structs with their codec.
//
// Times are nanoseconds since the start of the trace (RunInfo.start_unix_ns is
// that instant on the wall clock). Ids are file ids: dense, in order of first
// appearance, not the ids of the shared image.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/stack_roots.h"
#include "preload/trace_format.h"

namespace mallogram {

// ---- kRun -----------------------------------------------------------------

struct RunInfo {
  std::string mallogram_version;
  std::string host, os, cpu;      // uname nodename; "Linux 6.1 x86_64"; model name
  std::string executable;         // absolute path
  std::vector<std::string> argv;  // of the program
  std::string cwd;
  int64_t pid = 0, ppid = 0;
  uint64_t start_unix_ns = 0;
  uint64_t tsc_hz = 0;           // 0: stamps were CLOCK_MONOTONIC
  uint64_t max_depth = 0;        // 0: unlimited
  std::string on_full;           // "wait" | "drop"
  std::string allocator;         // "--allocator" value; empty: the program's own
  std::string parent_trace;      // file of the recorded parent, if any
  uint64_t sample_interval = 0;  // bytes; 0: every block was recorded
};
std::string EncodeRunInfo(const RunInfo& run);
absl::StatusOr<RunInfo> DecodeRunInfo(std::string_view payload);

// ---- kModules -------------------------------------------------------------

// One generation of a module. Module 0 does not exist: file ids start at 1, 0
// means "no module" (the frame's offset is then an absolute address).
struct Module {
  uint32_t id = 0;
  std::string path;
  std::string build_id;  // raw bytes; empty if the file has none
  uint64_t bias = 0;     // load bias: address in the ELF file = pc - bias
  uint64_t start = 0, end = 0;
  uint64_t load_ns = 0;
  uint64_t unload_ns = 0;  // 0: loaded until the end
  // Of a file without build-id, from kModuleFiles; 0: not known.
  uint64_t file_bytes = 0;
  uint64_t modified_ns = 0;  // since 1970
};
// A module that is sent again (same id) replaces the earlier record: that is
// how an unload is told.
std::string EncodeModules(const std::vector<Module>& modules);
absl::StatusOr<std::vector<Module>> DecodeModules(std::string_view payload);

// ---- kModuleFiles ---------------------------------------------------------

// Size and time of the file of a module that has no build-id: another build in its
// place cannot be told otherwise.
struct ModuleFile {
  uint32_t module = 0;  // Module.id
  uint64_t bytes = 0, modified_ns = 0;
};
std::string EncodeModuleFiles(const std::vector<ModuleFile>& files);
absl::StatusOr<std::vector<ModuleFile>> DecodeModuleFiles(std::string_view payload);

// ---- kStacks --------------------------------------------------------------

// File stack ids: 0…3 are the roots of stack_roots.h, nodes start at 4 and are
// numbered in file order. A
// node's parent has a smaller id. A stack is named by its innermost node.
inline constexpr uint32_t kFirstStackId = 4;
struct Stack {
  uint32_t parent = 0;
  uint32_t module = 0;  // Module.id, 0 if none
  uint64_t offset = 0;  // return address - module bias (absolute if module 0)
};
// No id is larger, neither here nor in events.
inline constexpr uint32_t kMaxStackIds = 1u << 28;
// Nodes of consecutive ids. The first id is stored, too: a lost chunk then costs
// its own nodes and renames no others.
std::string EncodeStacks(uint32_t first_id, const std::vector<Stack>& stacks);
absl::StatusOr<std::vector<Stack>> DecodeStacks(std::string_view payload,
                                                uint32_t* first_id = nullptr);

// ---- kThreads -------------------------------------------------------------

// Thread indices are dense in order of appearance; a tid may come back as a new
// index.
struct Thread {
  uint32_t index = 0;
  int64_t tid = 0;
  std::string name;
  uint64_t start_ns = 0;
};
inline constexpr uint32_t kMaxThreads = 1u << 24;
std::string EncodeThreads(const std::vector<Thread>& threads);
absl::StatusOr<std::vector<Thread>> DecodeThreads(std::string_view payload);

// ---- kSamples -------------------------------------------------------------

struct Sample {
  uint64_t time_ns = 0;
  uint64_t heap_bytes = 0;      // live at that time
  uint64_t heap_max_bytes = 0;  // highest since the sample before
  uint64_t rss_bytes = 0;       // 0: not known
};
std::string EncodeSamples(const std::vector<Sample>& samples);
absl::StatusOr<std::vector<Sample>> DecodeSamples(std::string_view payload);

// ---- kIndex ---------------------------------------------------------------

struct IndexEntry {
  ChunkType type = ChunkType::kRun;
  uint64_t offset = 0;                // of the chunk's header
  uint64_t first_event = 0;           // kEvents: number of the first event, else 0
  uint64_t event_count = 0;           // kEvents
  uint64_t start_ns = 0, end_ns = 0;  // kEvents
};
std::string EncodeIndex(const std::vector<IndexEntry>& entries);
absl::StatusOr<std::vector<IndexEntry>> DecodeIndex(std::string_view payload);

}  // namespace mallogram
